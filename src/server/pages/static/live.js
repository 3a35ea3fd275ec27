// The pages work without this. It copies commands, and lets a leak's page follow its leak.
(() => {
  "use strict";

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  };
  offerCopies();
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const said = button.firstChild;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      said.textContent = "Copied";
    } catch {
      said.textContent = "Not copied";
    }
    setTimeout(() => { said.textContent = "Copy"; }, 2000);
  });

  const followed = document.querySelector("[data-live]");
  if (!followed || !window.EventSource) return;

  // What a person is just writing in, or has open, is left alone.
  const inUse = (part) =>
    part.querySelector("details[open]") !== null ||
    (part.contains(document.activeElement) && document.activeElement !== part);

  const refresh = async (word) => {
    const answer = await fetch(location.pathname, { credentials: "same-origin" });
    if (!answer.ok || new URL(answer.url).pathname !== location.pathname) {
      source.close();
      location.reload();
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll(".part")) {
      const news = page.getElementById(part.id);
      if (news && !inUse(part) && part.innerHTML !== news.innerHTML) {
        part.replaceChildren(...news.childNodes);
      }
    }
    offerCopies();
    const said = document.getElementById("live-said");
    const text = "The leak is " + word + ".";
    if (said.textContent !== text) said.textContent = text;
  };

  // One at a time, and once more if something happened meanwhile.
  let running = false;
  let again = null;
  const follow = async (word) => {
    if (running) {
      again = word;
      return;
    }
    running = true;
    try {
      await refresh(word);
    } catch {
      // the network is away; the browser connects anew, and then there is a new event
    }
    running = false;
    if (again !== null) {
      const next = again;
      again = null;
      follow(next);
    }
  };

  const source = new EventSource(followed.dataset.live);
  source.addEventListener("leak", (event) => follow(event.data));
})();
