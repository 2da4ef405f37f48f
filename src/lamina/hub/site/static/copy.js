// Copy buttons: they appear only where this runs, and copy the text of the code beside them.
const say = (button, word) => {
  const before = button.dataset.word ?? (button.dataset.word = button.textContent);
  button.textContent = word;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { button.textContent = before; }, 1600);
};

const copyText = async (code) => {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(code.textContent);
    return;
  }
  // plain http on a name that is not localhost has no clipboard: select and copy the old way
  const range = document.createRange();
  range.selectNodeContents(code);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  if (!document.execCommand("copy")) throw new Error("not copied");
  selection.removeAllRanges();
};

for (const button of document.querySelectorAll("button[data-copy]")) {
  const code = button.parentElement.querySelector("code");
  if (!code) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copyText(code);
      say(button, "Copied");
    } catch {
      say(button, "Select it");
    }
  });
}

// "/" goes to the search box, as people are used to.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector("input[type=search]");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});
