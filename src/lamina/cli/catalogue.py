"""Every command there is, as a literal table: nothing is imported to know a name or a summary.

The module of a path is `lamina.cli.commands.<module>`; a path without a summary is another
spelling that help does not list.
"""

from __future__ import annotations

__all__ = ["COMMANDS", "COMMON", "GROUPS", "aliases", "members"]

COMMON = (
    "run", "exec", "ps", "pull", "push", "images", "layers", "login", "logout", "version", "info",
)  # fmt: skip
"""The commands that help shows first, in this order."""

GROUPS = {
    "container": "Manage containers",
    "hub": "Run a registry with accounts and pages",
    "image": "Manage images",
    "manifest": "Manage image manifests and manifest lists",
    "network": "Manage networks",
    "system": "Manage Lamina",
    "volume": "Manage volumes",
}
"""Groups of commands. `hub`'s members stand in its own module, in a table named `COMMANDS`."""

COMMANDS: dict[str, tuple[str, str]] = {
    "attach": ("attach", "Attach local standard input, output, and error streams to a running container"),
    "base": ("base_images", "Show which images an image was built on"),
    "cat": ("cat", "Print files of an image or container without running it"),
    "commit": ("commit", "Create a new image from a container's changes"),
    "copy": ("copy", "Copy an image between registries, layouts, folders, archives and this machine"),
    "cp": ("cp", "Copy files/folders between a container or image and the local filesystem"),
    "create": ("create", "Create a new container"),
    "diff": ("diff", "Inspect changes to files or directories on a container's filesystem"),
    "events": ("events", "Get real time events of containers, images, volumes and networks"),
    "exec": ("exec", "Execute a command in a running container"),
    "explain": ("explain", "Do a command and tell what it does, or show how an image hangs together"),
    "explore": ("explore", "Look around in an image: its layers, their files, waste, packages and secrets"),
    "export": ("export", "Export a container's filesystem as a tar archive"),
    "fork": ("fork", "Make new containers that go on from a container's files"),
    "fsck": ("fsck", "Check every stored byte, and repair what is damaged"),
    "history": ("history", "Show the history of an image"),
    "images": ("images", "List images"),
    "import": ("import_", "Import the contents from a tarball to create a filesystem image"),
    "index": ("index", "Put an index beside an image at its registry, so that files are read without pulling it"),
    "info": ("info", "Display system-wide information"),
    "inspect": ("inspect", "Return low-level information on containers, images, networks and volumes"),
    "inventory": ("inventory", "List the layers that are here, for another machine's save"),
    "kill": ("kill", "Kill one or more running containers"),
    "layers": ("layers", "Draw the layers of an image or container"),
    "load": ("load", "Load an image from a tar archive or STDIN"),
    "login": ("login", "Authenticate to a registry"),
    "logout": ("logout", "Log out from a registry"),
    "logs": ("logs", "Fetch the logs of a container"),
    "ls": ("ls", "List files of an image or container without running it"),
    "packages": ("packages", "List the packages in an image, with the layer that brought each"),
    "pause": ("pause", "Pause all processes within one or more containers"),
    "port": ("port", "List port mappings or a specific mapping for the container"),
    "ps": ("ps", "List containers"),
    "pull": ("pull", "Download an image from a registry"),
    "push": ("push", "Upload an image to a registry"),
    "rename": ("rename", "Rename a container"),
    "restart": ("restart", "Restart one or more containers"),
    "rm": ("rm", "Remove one or more containers"),
    "rmi": ("rmi", "Remove one or more images"),
    "rollback": ("rollback", "Return a container's files to a checkpoint"),
    "run": ("run", "Create and run a new container from an image"),
    "save": ("save", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
    "search": ("search", "Search a registry for images"),
    "secrets": ("secrets", "Find keys, passwords and tokens in an image, also in what a later layer hides"),
    "snapshot": ("snapshot", "Take a checkpoint of a container's files"),
    "start": ("start", "Start one or more stopped containers"),
    "stats": ("stats", "Display a live stream of container(s) resource usage statistics"),
    "stop": ("stop", "Stop one or more running containers"),
    "tag": ("tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "tags": ("tags", "List the tags of a repository at a registry"),
    "top": ("top", "Display the running processes of a container"),
    "undo": ("undo", "Take back the last tag move, rmi or prune"),
    "unpause": ("unpause", "Unpause all processes within one or more containers"),
    "update": ("update", "Update configuration of one or more containers"),
    "version": ("version", "Show the Lamina version information"),
    "wait": ("wait", "Block until one or more containers stop, then print their exit codes"),
    "waste": ("waste", "Find bytes in an image's layers that nobody sees or needs"),
    "whence": ("whence", "Show which layer added, changed or removed a file of an image"),
    "container attach": ("attach", "Attach local standard input, output, and error streams to a running container"),
    "container commit": ("commit", "Create a new image from a container's changes"),
    "container cp": ("cp", "Copy files/folders between a container or image and the local filesystem"),
    "container create": ("create", "Create a new container"),
    "container diff": ("diff", "Inspect changes to files or directories on a container's filesystem"),
    "container exec": ("exec", "Execute a command in a running container"),
    "container export": ("export", "Export a container's filesystem as a tar archive"),
    "container fork": ("fork", "Make new containers that go on from a container's files"),
    "container inspect": ("container_inspect", "Display detailed information on one or more containers"),
    "container kill": ("kill", "Kill one or more running containers"),
    "container logs": ("logs", "Fetch the logs of a container"),
    "container ls": ("ps", "List containers"),
    "container list": ("ps", ""),
    "container ps": ("ps", ""),
    "container pause": ("pause", "Pause all processes within one or more containers"),
    "container port": ("port", "List port mappings or a specific mapping for the container"),
    "container prune": ("container_prune", "Remove all stopped containers"),
    "container rename": ("rename", "Rename a container"),
    "container restart": ("restart", "Restart one or more containers"),
    "container rm": ("rm", "Remove one or more containers"),
    "container remove": ("rm", ""),
    "container rollback": ("rollback", "Return a container's files to a checkpoint"),
    "container run": ("run", "Create and run a new container from an image"),
    "container snapshot": ("snapshot", "Take a checkpoint of a container's files"),
    "container start": ("start", "Start one or more stopped containers"),
    "container stats": ("stats", "Display a live stream of container(s) resource usage statistics"),
    "container update": ("update", "Update configuration of one or more containers"),
    "container stop": ("stop", "Stop one or more running containers"),
    "container top": ("top", "Display the running processes of a container"),
    "container unpause": ("unpause", "Unpause all processes within one or more containers"),
    "container wait": ("wait", "Block until one or more containers stop, then print their exit codes"),
    "image copy": ("copy", "Copy an image between registries, layouts, folders, archives and this machine"),
    "image history": ("history", "Show the history of an image"),
    "image import": ("import_", "Import the contents from a tarball to create a filesystem image"),
    "image inspect": ("image_inspect", "Display detailed information on one or more images"),
    "image layers": ("layers", "Draw the layers of an image or container"),
    "image load": ("load", "Load an image from a tar archive or STDIN"),
    "image ls": ("images", "List images"),
    "image list": ("images", ""),
    "image prune": ("image_prune", "Remove unused images"),
    "image pull": ("pull", "Download an image from a registry"),
    "image push": ("push", "Upload an image to a registry"),
    "image rm": ("rmi", "Remove one or more images"),
    "image remove": ("rmi", ""),
    "image save": ("save", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
    "image tags": ("tags", "List the tags of a repository at a registry"),
    "image tag": ("tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "manifest annotate": ("manifest_annotate", "Add additional information to a local image manifest"),
    "manifest create": ("manifest_create", "Create a local manifest list for annotating and pushing to a registry"),
    "manifest inspect": ("manifest_inspect", "Display an image manifest, or manifest list, from its registry"),
    "manifest push": ("manifest_push", "Push a manifest list to a repository"),
    "manifest rm": ("manifest_rm", "Delete one or more manifest lists from local storage"),
    "network connect": ("network_connect", "Connect a container to a network"),
    "network create": ("network_create", "Create a network"),
    "network disconnect": ("network_disconnect", "Disconnect a container from a network"),
    "network inspect": ("network_inspect", "Display detailed information on one or more networks"),
    "network ls": ("network_ls", "List networks"),
    "network list": ("network_ls", ""),
    "network prune": ("network_prune", "Remove all unused networks"),
    "network rm": ("network_rm", "Remove one or more networks"),
    "network remove": ("network_rm", ""),
    "system df": ("system_df", "Show disk usage"),
    "system events": ("events", "Get real time events of containers, images, volumes and networks"),
    "system fsck": ("fsck", "Check every stored byte, and repair what is damaged"),
    "system inventory": ("inventory", "List the layers that are here, for another machine's save"),
    "system info": ("info", "Display system-wide information"),
    "system prune": ("system_prune", "Remove unused data"),
    "volume create": ("volume_create", "Create a volume"),
    "volume inspect": ("volume_inspect", "Display detailed information on one or more volumes"),
    "volume ls": ("volume_ls", "List volumes"),
    "volume list": ("volume_ls", ""),
    "volume prune": ("volume_prune", "Remove unused local volumes"),
    "volume rm": ("volume_rm", "Remove one or more volumes"),
    "volume remove": ("volume_rm", ""),
}  # fmt: skip
"""Path as typed → (module, summary)."""


def aliases(path: str) -> tuple[str, ...]:
    """Give every path of the same command, groups first, as Docker lists them."""
    if path not in COMMANDS:
        return ()
    module = COMMANDS[path][0]
    same = [name for name, (home, _) in COMMANDS.items() if home == module]
    return tuple(sorted(same, key=lambda name: -name.count(" ")))


def members(group: str = "") -> tuple[tuple[str, str], ...]:
    """Give (name, summary) of what stands in `group`, or at the top; other spellings left out."""
    start = f"{group} " if group else ""
    return tuple(
        (path[len(start) :], summary)
        for path, (_, summary) in COMMANDS.items()
        if summary and path.startswith(start) and " " not in path[len(start) :]
    )
