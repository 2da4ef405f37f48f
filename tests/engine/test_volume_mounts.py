import os

import pytest

from lamina.engine.volume_mounts import MountInvalid, VolumeMount


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", VolumeMount("volume", "", "/data")),
        ("vol:/data:nocopy,ro", VolumeMount("volume", "vol", "/data", read_only=True, copy=False)),
        ("/a:/b:z,rslave", VolumeMount("bind", "/a", "/b", propagation="rslave")),
        ("v:/b:U,Z", VolumeMount("volume", "v", "/b", chown=True)),
        ("./a:/b/../c", VolumeMount("bind", os.path.abspath("a"), "/c")),
    ],
)
def test_volumes_are_read(text, mount):
    assert VolumeMount.parse_volume(text) == mount


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid empty volume spec"),
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        ("/a:", "invalid volume specification: '/a:'"),
        (":/a", "invalid volume specification: ':/a'"),
        ("/a:b", "invalid mount path: 'b' mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/b:nocopy", "invalid mode: nocopy"),
        ("vol:/b:rslave", "invalid mode: rslave"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:odd", "invalid mode: odd"),
        ("/a:/b:rshared", "propagation rshared is not possible"),
    ],
)
def test_bad_volumes_are_refused_in_dockers_words(text, words):
    with pytest.raises(MountInvalid) as error:
        VolumeMount.parse_volume(text)
    assert words in error.value.message
    assert error.value.exit_code == 125


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        (
            "type=bind,src=/a,dst=/b,ro,bind-nonrecursive",
            VolumeMount("bind", "/a", "/b", read_only=True, make=False, recursive=False),
        ),
        (
            'type=bind,"source=/a,b",target=/b,bind-create-src,bind-propagation=rslave',
            VolumeMount("bind", "/a,b", "/b", propagation="rslave"),
        ),
        (
            "source=v,target=/b,readonly=0,volume-nocopy,volume-subpath=in/it,volume-label=k=v",
            VolumeMount(
                "volume", "v", "/b", make=False, copy=False, subpath="in/it", labels={"k": "v"}
            ),
        ),
        (
            "type=volume,dst=/b,volume-opt=o=bind,volume-opt=device=/d,consistency=cached",
            VolumeMount(
                "volume", "", "/b", make=False, driver_options={"o": "bind", "device": "/d"}
            ),
        ),
        (
            "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700",
            VolumeMount("tmpfs", "", "/t", make=False, options="size=1m,mode=700"),
        ),
        (
            "type=image,source=debian:12,target=/d,image-subpath=usr/share",
            VolumeMount("image", "debian:12", "/d", make=False, subpath="usr/share"),
        ),
        (
            "type=bind,src=/a,dst=/b,ro,bind-recursive=writable,U=true,relabel=shared",
            VolumeMount(
                "bind", "/a", "/b", read_only=True, make=False, below="writable", chown=True
            ),
        ),
    ],
)
def test_mounts_are_read(text, mount):
    assert VolumeMount.parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("type=cloud,dst=/a", "mount type unknown: 'cloud'"),
        ("type=bind,src=/a", "target is required"),
        ("type=bind,dst=/a", "source is required"),
        ("type=bind,src=a,dst=/a", "source must be an absolute path"),
        ("type=tmpfs,src=/a,dst=/a", "a tmpfs has no source"),
        ("dst=a", "target must be an absolute path"),
        ("dst=/a,strange=1", "unexpected key 'strange'"),
        ("dst=/a,strange", "invalid field 'strange' must be a key=value pair"),
        ("dst=/a,readonly=maybe", "invalid value for readonly: maybe"),
        ("type=bind,src=/a,dst=/a,volume-nocopy", "cannot mix 'volume-*' options"),
        ("type=bind,src=/a,dst=/a,bind-propagation=odd", "invalid bind-propagation: odd"),
        ("type=tmpfs,dst=/a,tmpfs-size=big", "invalid value for tmpfs-size: big"),
        ("type=tmpfs,dst=/a,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
        ("dst=/a,volume-subpath=../b", "volume-subpath must stay in the volume"),
        ("dst=/a,volume-driver=nfs", "only the volume driver local"),
        ("type=image,dst=/a", "source is required"),
        ("type=image,src=i,dst=/a,image-subpath=/b", "image-subpath must stay in the image"),
        ("type=image,src=i,dst=/a,volume-subpath=b", "cannot mix 'volume-*' options"),
        ("type=image,src=i,dst=/a,U", "chown is not for mounts of type image"),
        ("type=bind,src=/a,dst=/a,subpath=b", "mounts of type bind have no subpath"),
        ("type=bind,src=/a,dst=/a,bind-recursive=no", "invalid bind-recursive: no"),
        ("type=bind,src=/a,dst=/a,bind-recursive=readonly", "requires 'readonly'"),
        (
            "type=bind,src=/a,dst=/a,ro,bind-recursive=readonly,bind-propagation=rslave",
            "requires 'bind-propagation=rprivate'",
        ),
        ("type=bind,src=/a,dst=/a,relabel=no", "invalid relabel: no"),
    ],
)
def test_bad_mounts_are_refused(text, words):
    with pytest.raises(MountInvalid) as error:
        VolumeMount.parse_mount(text)
    assert words in error.value.message
