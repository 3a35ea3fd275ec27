(() => {
  "use strict";
  const form = document.getElementById("filter");
  if (!form) return;
  const field = (id) => document.getElementById(id);
  const [text, path, service, count, nothing] = ["text", "path", "service", "count", "nothing"].map(field);
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const leaks = [...document.querySelectorAll(".leak")].map((node) => ({ node, at: node.dataset, shown: true }));
  const isLong = document.querySelector(".long") !== null;

  // Read once, after the page stands: opening one of ten thousand leaks does not wait for it.
  let isRead = false;
  const read = () => {
    if (isRead) return;
    isRead = true;
    for (const leak of leaks) {
      leak.text = leak.node.textContent.toLowerCase();
      leak.places = [...leak.node.querySelectorAll(".path")].map((code) => ({
        row: code.closest("li"),
        path: code.textContent.toLowerCase(),
        shown: true,
      }));
    }
  };

  const wanted = () => {
    const checked = (name) => boxes.filter((box) => box.name === name && box.checked).map((box) => box.value);
    return {
      words: text.value.toLowerCase().split(/\s+/).filter(Boolean),
      path: path.value.trim().toLowerCase(),
      service: service.value,
      severity: checked("severity"),
      state: checked("state"),
    };
  };

  const fits = (leak, by) =>
    (!by.service || leak.at.service === by.service) &&
    (!by.severity.length || by.severity.includes(leak.at.severity)) &&
    (!by.state.length || by.state.includes(leak.at.state)) &&
    by.words.every((word) => leak.text.includes(word)) &&
    (!by.path || leak.places.some((place) => place.path.includes(by.path)));

  const apply = () => {
    read();
    const by = wanted();
    const lists = new Map();
    let shown = 0;
    for (const leak of leaks) {
      const fit = fits(leak, by);
      if (fit !== leak.shown) {
        leak.node.hidden = !fit;
        leak.shown = fit;
      }
      const list = leak.node.parentElement;
      lists.set(list, (lists.get(list) ?? 0) + fit);
      if (!fit) continue;
      shown += 1;
      for (const place of leak.places) {
        const there = !by.path || place.path.includes(by.path);
        if (there === place.shown) continue;
        place.row.hidden = !there;
        place.shown = there;
      }
      if (by.path && leak.places.length > 1) {
        const folded = leak.node.querySelector("details");
        if (folded) folded.open = true;
      }
    }
    if (isLong) {
      for (const [list, left] of lists) {
        list.hidden = left === 0;
        // As high as it will about be, so that the page does not jump where it was never laid out.
        list.style.containIntrinsicSize = `auto ${left * 12}rem`;
      }
    }
    say(shown);
    nothing.hidden = shown > 0;
    remember(by);
  };

  const say = (shown) => {
    const all = leaks.length;
    count.value = shown === all ? `${all} shown` : `${shown} of ${all} shown`;
  };

  // The filters stand in the address, so that a view can be sent on as a link.
  const remember = (by) => {
    const kept = new URLSearchParams();
    const put = (name, value) => value && kept.set(name, value);
    put("text", text.value.trim());
    put("path", path.value.trim());
    put("service", by.service);
    put("severity", by.severity.join(","));
    put("state", by.state.join(","));
    try {
      history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname + location.search);
    } catch {
      // A browser that keeps no addresses of files filters all the same.
    }
  };

  const recall = () => {
    const kept = new URLSearchParams(location.hash.slice(1));
    text.value = kept.get("text") ?? "";
    path.value = kept.get("path") ?? "";
    service.value = kept.get("service") ?? "";
    for (const box of boxes) box.checked = (kept.get(box.name) ?? "").split(",").includes(box.value);
    return ["text", "path", "service", "severity", "state"].some((name) => kept.has(name));
  };

  let frame = 0;
  const soon = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(apply);
  };

  form.addEventListener("input", soon);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => recall() && apply());
  addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      text.focus();
    }
  });
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });

  form.hidden = false;
  if (recall()) apply();
  else say(leaks.length);
  (window.requestIdleCallback ?? setTimeout)(read);
})();
