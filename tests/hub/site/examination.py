"""What a page owes to those who do not see it well or use no mouse, asked of the page in the browser."""

from playwright.sync_api import Page

__all__ = ["examine", "walk_by_keyboard"]

_EXAMINE = r"""
() => {
  const wrong = [];
  const say = (what, node) => wrong.push(
    what + ": " + (node ? node.outerHTML.replace(/\s+/g, " ").slice(0, 160) : ""));
  const shown = (node) => {
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    return style.visibility !== "hidden" && style.display !== "none" && box.width > 0 && box.height > 0;
  };
  // 1. structure
  if (!document.documentElement.lang) say("no language");
  if (!document.title.trim()) say("no title");
  if (document.querySelectorAll("h1").length !== 1) say("not one h1");
  if (document.querySelectorAll("main").length !== 1) say("not one main");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say("heading skips a level", heading);
    if (!heading.textContent.trim()) say("empty heading", heading);
    level = own;
  }
  const ids = new Set();
  for (const node of document.querySelectorAll("[id]")) {
    if (ids.has(node.id)) say("the same id twice", node);
    ids.add(node.id);
  }
  for (const name of ["aria-describedby", "aria-labelledby", "for"])
    for (const node of document.querySelectorAll(`[${name}]`))
      for (const id of node.getAttribute(name).split(/\s+/))
        if (!document.getElementById(id)) say(`${name} names nothing`, node);
  const landmarks = [...document.querySelectorAll("nav, aside, form[role=search]")];
  const names = landmarks.map((node) => node.tagName + (node.getAttribute("aria-label") ?? ""));
  if (new Set(names).size !== names.length) say("landmarks of one name: " + names);
  for (const row of document.querySelectorAll("table"))
    if (!row.querySelector("th[scope]")) say("a table without headings", row);
  // 2. names
  for (const node of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=img]")) {
    if (node.type === "hidden" || node.hidden || node.parentElement.closest("[role=img]")) continue;
    const labels = node.labels ? [...node.labels].map((label) => label.textContent).join("") : "";
    const own = node.matches("input, select, textarea") ? "" : node.textContent;
    const name = node.getAttribute("aria-label") || labels || own || node.getAttribute("title") || "";
    const image = node.querySelector("img[alt]:not([alt=''])");
    if (!name.trim() && !image) say("no name", node);
  }
  for (const node of document.querySelectorAll("img:not([alt])")) say("no alt", node);
  // 3. contrast, WCAG 2.2 AA
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((value, i) => value * top[3] + under[i] * (1 - top[3]));
  const ground = (node) => {
    const layers = [];
    for (let each = node; each; each = each.parentElement)
      layers.push(parse(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (color) => {
    const [r, g, b] = color.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(node)) continue;
    seen.add(node);
    if (node.closest("svg, .visually-hidden, .skip, [disabled], script") || !shown(node)) continue;
    const style = getComputedStyle(node);
    const under = ground(node);
    const found = ratio(over(parse(style.color), under), under);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (found < (large ? 3 : 4.5)) say(`contrast ${found.toFixed(2)} of ${style.color}`, node);
  }
  for (const node of document.querySelectorAll("input:not([type=hidden])")) {
    const found = ratio(over(parse(getComputedStyle(node, "::placeholder").color), ground(node)), ground(node));
    if (node.placeholder && found < 4.5) say(`contrast ${found.toFixed(2)} of a placeholder`, node);
  }
  // 4. room
  if (document.documentElement.scrollWidth > innerWidth)
    say(`wider than the window: ${document.documentElement.scrollWidth}`);
  for (const node of document.querySelectorAll("button, input:not([type=hidden]), select, .button, .tabs a, .menu a")) {
    const box = node.getBoundingClientRect();
    const spread = node.closest("label")?.getBoundingClientRect() ?? box;
    if (shown(node) && Math.max(box.height, spread.height) < 20) say(`only ${box.height} pixels high`, node);
  }
  return wrong;
}
"""

_FOCUSED = r"""
() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const box = node.getBoundingClientRect();
  const style = getComputedStyle(node);
  const order = [...document.querySelectorAll("*")].indexOf(node);
  const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {order, marked, inside: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
    what: node.outerHTML.slice(0, 120)};
}
"""


def examine(page: Page) -> list[str]:
    """Give what is wrong with the page: structure, names, contrast, room."""
    found: list[str] = page.evaluate(_EXAMINE)
    return found


def walk_by_keyboard(page: Page, *, most: int = 60) -> list[str]:
    """Press Tab through the page; give what is wrong: no mark, out of sight, out of order, a trap."""
    wrong: list[str] = []
    before = -1
    page.evaluate("document.activeElement?.blur()")
    for number in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            return wrong
        if number and "skip" in focused["what"]:  # round again
            return wrong
        if number == 0 and "skip" not in focused["what"]:
            wrong.append(f"first is {focused['what']}")
        if not focused["marked"]:
            wrong.append(f"no mark on {focused['what']}")
        if not focused["inside"]:
            wrong.append(f"out of sight: {focused['what']}")
        if focused["order"] <= before:
            wrong.append(f"out of order: {focused['what']}")
        before = focused["order"]
    return wrong
