"use strict";
// The page of `mcplink menu --web`. Nothing is stored: the token is in the fragment of the address, which is sent nowhere.
(() => {
  const by = (id) => document.getElementById(id);
  let token = "";
  let shown = null;
  let selected = null;
  let isLive = false;
  // What was drawn last, so that nothing is drawn again that is the same.
  const drawn = {};
  // What gets the focus once it is there.
  let wanted = null;

  /** An element with its attributes, listeners and children. Texts are texts, whatever is in them. */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  /** Puts `children` into `parent` where `state` is new; what had the focus keeps it. */
  function draw(parent, state, make) {
    const text = JSON.stringify(state);
    if (drawn[parent.id] === text) return;
    drawn[parent.id] = text;
    const focus = document.activeElement && parent.contains(document.activeElement) ? document.activeElement : null;
    const key = focus && focus.dataset.key;
    const caret = focus && "selectionStart" in focus ? [focus.selectionStart, focus.selectionEnd] : null;
    // What is being typed is newer than what comes.
    const read = new Map([...parent.querySelectorAll("pre")].map((lines) => [
      lines.dataset.key,
      { top: lines.scrollTop, isAtEnd: lines.scrollHeight - lines.clientHeight - lines.scrollTop < 2 },
    ]));
    const typed = new Map([...parent.querySelectorAll(FIELDS)].map((field) => [field.dataset.key, field.value]));
    parent.replaceChildren(...make());
    for (const field of parent.querySelectorAll(FIELDS)) {
      if (typed.has(field.dataset.key)) field.value = typed.get(field.dataset.key);
    }
    for (const lines of parent.querySelectorAll("pre")) {
      const before = read.get(lines.dataset.key) ?? { top: 0, isAtEnd: true };
      // The end of what a command says is what it comes to. Who reads elsewhere goes on there.
      lines.scrollTop = lines.dataset.end && before.isAtEnd ? lines.scrollHeight : before.top;
    }
    const next = wanted && parent.querySelector(wanted);
    if (next) {
      wanted = null;
      return next.focus();
    }
    if (!key) return;
    const again = [...parent.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (caret && caret[0] !== null && "setSelectionRange" in again) again.setSelectionRange(...caret);
  }

  const FIELDS = "input[data-key], textarea[data-key], select[data-key]";

  const post = (path, body) =>
    fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Mcplink-Token": token },
      body: JSON.stringify(body),
      cache: "no-store",
    });

  /** Has something done; what matches `focus` gets the focus when it is shown. */
  async function act(body, focus = null) {
    wanted = focus;
    try {
      const answer = await post("/act", body);
      if (!answer.ok) say("That was refused.");
    } catch {
      say("mcplink cannot be reached.");
    }
  }

  let quiet;
  function say(text) {
    const said = by("said");
    clearTimeout(quiet);
    if (said.textContent !== text) said.replaceChildren(...(text ? [h("span", {}, text)] : []));
    if (text) quiet = setTimeout(() => said.replaceChildren(), 8000);
  }

  function live(on, text) {
    isLive = on;
    const mark = by("live");
    mark.className = on ? "on" : "off";
    if (mark.textContent !== text) mark.textContent = text;
    if (shown) render();
  }

  const current = () => shown.servers.find((server) => server.id === selected) ?? null;

  function filtered() {
    const wanted = by("filter").value.trim().toLowerCase();
    const has = (text) => text.toLowerCase().includes(wanted);
    return shown.servers.filter(
      (server) => has(server.name) || has(server.status) || server.facts.some(([label, value]) => ["url", "command"].includes(label) && has(value)),
    );
  }

  function open(id) {
    selected = id;
    document.querySelector("main").classList.add("open");
    render();
    by("one").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  function back() {
    document.querySelector("main").classList.remove("open");
    const own = [...by("list").querySelectorAll("button")].find((button) => button.dataset.key === selected);
    if (own) own.focus();
  }

  function render() {
    by("folder").textContent = shown.folder;
    by("summary").textContent = shown.summary;
    document.title = `${shown.summary} – mcplink`;
    if (!shown.servers.some((server) => server.id === selected)) selected = shown.servers.length ? shown.servers[0].id : null;
    draw(by("problems"), shown.problems, () => shown.problems.map((problem) => h("li", {}, `! ${problem}`)));
    const servers = filtered();
    draw(by("list"), [servers.map(({ id, name, status, sign, said }) => [id, name, status, sign, said]), selected], () => {
      if (!servers.length) return [h("li", { class: "beside" }, shown.servers.length ? "none has that" : "no servers are configured")];
      return servers.map((server) =>
        h("li", { class: server.status },
          h("button", { type: "button", "data-key": server.id, "aria-current": server.id === selected ? "true" : null, click: () => open(server.id) },
            h("span", { class: "sign", "aria-hidden": "true" }, server.sign),
            h("span", { class: "name", title: server.name }, server.name),
            h("span", { class: "beside" }, server.said)),
        ),
      );
    });
    const server = current();
    draw(by("one"), [server, shown.panel, isLive], () => (server ? detail(server) : [h("p", {}, "Nothing to show.")]));
  }

  function detail(server) {
    const one = by("one");
    one.className = server.status;
    one.setAttribute("aria-label", server.name);
    const actions = server.actions.map((own) =>
      h("div", {},
        own.runs
          ? h("button", { type: "button", class: "act", "data-key": `act ${own.key}`, disabled: !isLive, click: () => press(server, own) }, own.label)
          : h("span", { class: "by-hand" }, own.label),
        h("code", {}, own.command)),
    );
    const facts = server.facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]);
    return [
      h("button", { type: "button", class: "quiet back", "data-key": "back", click: back }, "← all servers"),
      h("h2", {}, server.name),
      h("p", { class: "state" }, `${server.sign} ${server.said}`),
      server.reason ? h("p", { class: "reason" }, server.reason) : null,
      server.next ? h("p", { class: "next" }, "try ", h("code", {}, server.next)) : null,
      h("div", { class: "actions" }, ...actions),
      shown.panel && shown.panel.server === server.name ? panel(shown.panel) : null,
      h("dl", {}, ...facts),
    ].filter((child) => child !== null);
  }

  // The button that began what is shown: it gets the focus back.
  let began = null;

  function press(server, own) {
    began = `[data-key="act ${CSS.escape(own.key)}"]`;
    act({ act: "key", server: server.id, key: own.key }, OPENS.includes(own.label) ? `[data-key="${own.label}"]` : null);
  }

  // Deeds that open what is to be read or chosen from: it gets the focus.
  const OPENS = ["tools", "approve", "approve tools", "trust folder"];

  function panel(state) {
    const close = { running: "stop", ended: "close", log: "close", tools: "close", form: "close" }[state.stage] ?? "give up";
    const body = [];
    if (state.stage === "running") body.push(h("p", {}, "running…"));
    if (state.stage === "ended" || state.stage === "log") {
      const lines = state.lines.length ? state.lines : [state.stage === "log" ? "No session has written anything yet." : "It said nothing."];
      body.push(h("pre", { tabindex: "0", "data-key": "lines", "data-end": "1", "aria-label": "what it says" }, ...hanging(lines)));
    } else if (state.stage === "offers") {
      const about = state.command.includes(" approve-tools ") ? "approve tools" : state.command.includes(" trust") ? "trust folder" : "approve";
      const isOfTools = about === "approve tools";
      body.push(
        h("p", {}, isOfTools ? "These tools are new or different. None of them is used before you allow it." : "This is what it would allow. Nothing has been started yet."),
        h("pre", { tabindex: "0", "data-key": about, "aria-label": "what it would allow" }, ...hanging(state.lines)),
        h("div", { class: "row" }, h("button", { type: "button", class: "quiet", "data-key": "confirm", disabled: !isLive, click: () => act({ act: "confirm", mark: state.mark }, '[data-key="lines"]') }, isOfTools ? "Yes, allow these" : "Yes, allow this")),
      );
    } else if (state.stage === "tools") {
      body.push(...tools(state));
    } else if (state.stage === "form") {
      body.push(...form(state));
    } else {
      body.push(...state.lines.map((line) => h("p", { class: "first" }, line)));
    }
    if (state.stage === "doubts") {
      body.push(h("div", { class: "row" }, h("button", { type: "button", class: "quiet", "data-key": "confirm", click: () => act({ act: "confirm", mark: 0 }) }, "It belongs there")));
    }
    if (state.stage === "waits") {
      const input = h("input", { "data-key": "paste", "aria-label": "address of the last page", placeholder: "http://localhost…", autocomplete: "off", spellcheck: "false" });
      const send = () => input.value.trim() && act({ act: "paste", text: input.value.trim() });
      input.addEventListener("keydown", (event) => event.key === "Enter" && send());
      // Only an address of the web is a link.
      const isLink = /^https?:\/\//.test(state.url);
      body.push(
        h("p", {}, "Your browser opens. If it does not, open this address:"),
        h("p", {}, isLink ? h("a", { href: state.url, target: "_blank", rel: "noopener noreferrer", "data-key": "link" }, state.url) : state.url),
        h("p", {}, "If it ends on a page that cannot be reached, paste the whole address of that page:"),
        h("div", { class: "row" }, input, h("button", { type: "button", class: "quiet", "data-key": "send", click: send }, "take it")),
      );
    }
    return h("section", { class: state.isError ? "error" : "", role: "status" },
      h("div", { class: "top" }, h("code", {}, state.command), h("button", { type: "button", class: "quiet", "data-key": "close", click: () => act({ act: "close" }, began) }, close)),
      ...body);
  }

  /** Lines that go on below their own beginning where they are broken: behind a label, or behind their indentation. */
  function hanging(lines) {
    return lines.map((line) => {
      const own = line.length - line.trimStart().length;
      const label = /^\s*\S.*?\s{2,}(?=\S)/.exec(line);
      const element = h("span", { class: "line" }, `${line}\n`);
      element.style.setProperty("--hang", `${label && label[0].length <= 24 ? label[0].length : own + 2}ch`);
      return element;
    });
  }

  // What is typed to find a tool, of which server.
  const sought = { server: "", text: "" };

  function tools(state) {
    if (sought.server !== state.server) Object.assign(sought, { server: state.server, text: "" });
    const list = h("ul", { class: "tools" });
    const fill = () => {
      const has = (text) => text.toLowerCase().includes(sought.text.trim().toLowerCase());
      const found = state.tools.filter((tool) => has(tool.name) || has(tool.said));
      list.replaceChildren(...found.map((tool) =>
        h("li", {}, h("button", { type: "button", "data-key": `tool ${tool.id}`, disabled: !isLive, click: () => act({ act: "tool", name: tool.id }, ".field, [data-key=call]") },
          h("span", { class: "name" }, tool.name), h("span", { class: "takes" }, tool.takes), h("span", { class: "beside" }, tool.said)))));
      if (!found.length) list.replaceChildren(h("li", { class: "beside" }, state.tools.length ? "none has that" : "it lists none"));
    };
    const filter = h("input", { type: "search", "data-key": "tools", "aria-label": "Filter tools", placeholder: "a tool, or what it does", autocomplete: "off", spellcheck: "false", value: sought.text });
    filter.addEventListener("input", () => { sought.text = filter.value; fill(); });
    fill();
    return [filter, list, ...state.lines.map((line) => h("p", { class: "beside" }, line))];
  }

  let filling;
  function form(state) {
    const own = state.form;
    const off = own.isCalled || !isLive;
    const typed = () => Object.fromEntries([...by("one").querySelectorAll(".field")].map((field) => [field.dataset.id, field.value]));
    const call = () => {
      clearTimeout(filling);
      act({ act: "call", arguments: typed() });
    };
    const changed = () => {
      clearTimeout(filling);
      filling = setTimeout(() => act({ act: "fill", arguments: typed() }), 200);
    };
    const fields = own.fields.map((field) => {
      const attributes = { class: "field", "data-id": field.id, "data-key": `field ${own.tool} ${field.id}`, "aria-label": field.name, "aria-required": field.isRequired ? "true" : null, disabled: off, input: changed };
      const choices = field.choices.length ? ["", ...field.choices] : [];
      const control = choices.length
        ? h("select", attributes, ...choices.map((choice) => h("option", { value: choice, selected: choice === field.value }, choice || "–")))
        : field.isJson
          ? h("textarea", { ...attributes, rows: "2", spellcheck: "false" }, field.value)
          : h("input", { ...attributes, value: field.value, autocomplete: "off", spellcheck: "false", keydown: (event) => event.key === "Enter" && !event.isComposing && call() });
      return h("label", {}, h("b", {}, field.name), control, h("span", { class: "beside" }, field.summary));
    });
    const back = () => act({ act: "back" }, `[data-key="${CSS.escape(`tool ${own.tool}`)}"]`);
    return [
      h("h3", {}, own.tool),
      own.said ? h("p", { class: "said" }, own.said) : null,
      ...fields,
      own.problem ? h("p", { class: "problem", role: "alert" }, own.problem) : null,
      h("div", { class: "row" },
        h("button", { type: "button", class: "quiet", "data-key": "call", disabled: off, click: call }, own.isCalled ? "running…" : "call it"),
        h("button", { type: "button", class: "quiet", "data-key": "tools back", click: back }, own.isCalled ? "give up" : "all tools")),
      own.ended ? h("p", { class: "first" }, own.ended) : null,
      own.ended ? h("pre", { tabindex: "0", "data-key": "lines", "aria-label": "result" }, ...hanging(state.lines)) : null,
    ].filter((child) => child !== null);
  }

  /** What is shown, as it comes, until the connection ends. */
  async function follow() {
    const answer = await fetch("/events", { headers: { "X-Mcplink-Token": token }, cache: "no-store" });
    if (answer.status === 401) throw new Error("refused");
    if (!answer.ok) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        const event = rest.slice(0, end);
        if (!event.startsWith("data: ")) continue;
        const before = shown && shown.message;
        shown = JSON.parse(event.slice(6));
        if (!isLive) live(true, "live");
        render();
        if (shown.message && shown.message !== before) say(shown.message);
      }
    }
  }

  async function begin() {
    const fragment = new URLSearchParams(location.hash.slice(1));
    token = fragment.get("token") ?? "";
    if (!token) {
      const answer = await post("/begin", { code: fragment.get("code") ?? "" });
      if (!answer.ok) return live(false, "This address was used already; the terminal shows another one.");
      token = (await answer.json()).token;
      // The code is worth nothing any more. The page can be loaded again.
      history.replaceState(null, "", `#token=${token}`);
    }
    for (let pause = 500; ; pause = Math.min(pause * 2, 5000)) {
      try {
        const began = Date.now();
        await follow();
        if (Date.now() - began > 10_000) pause = 500;
      } catch (error) {
        if (error.message === "refused") return live(false, "This page belongs to a run that has ended.");
      }
      live(false, "mcplink has ended, or cannot be reached");
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  // Who goes on by hand is led nowhere.
  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => (wanted = null), { capture: true });
  by("filter").addEventListener("input", () => shown && render());
  document.addEventListener("keydown", (event) => {
    const isTyping = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      back();
      by("filter").focus();
    } else if (event.key === "Escape") {
      if (event.target === by("filter")) {
        by("filter").value = "";
        if (shown) render();
      }
      back();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && by("all").contains(event.target)) {
      const buttons = [...by("list").querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (buttons[at]) {
        event.preventDefault();
        buttons[at].focus();
      } else if (at < 0) {
        by("filter").focus();
      }
    }
  });
  live(false, "connecting");
  begin().catch(() => live(false, "mcplink cannot be reached"));
})();
