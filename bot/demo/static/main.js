/** Puts the page together and keeps it up to date. */

import { board } from "./board.js";
import { h } from "./dom.js";
import { header } from "./header.js";
import { t } from "./i18n.js";
import { managers } from "./managers.js";
import { payments } from "./payments.js";
import { phone } from "./phone.js";
import { listen, notify, subscribe, unsubscribeAll } from "./store.js";
import { story } from "./story.js";
import { show, tabs } from "./tabs.js";
import { happening, trouble } from "./trouble.js";

function build() {
  unsubscribeAll();
  document.title = t("title");
  const panels = [phone("whatsapp"), phone("telegram"), managers(), trouble(), board(), payments()];
  const stage = h("main.stage", { id: "stage" }, panels.map((one) => one.root));
  const top = header(build);
  const head = story(show);
  const line = happening();
  line.root.classList.add("on-phones");
  line.root.removeAttribute("aria-live"); // the trouble panel's own line is read aloud already
  line.root.removeAttribute("role");
  const bar = tabs(stage);
  const skip = h("a.skip", { href: "#stage" }, t("skip"));
  document.getElementById("page")?.replaceChildren(skip, top.root, head.root, line.root, stage, bar.root);
  for (const part of [top, head, line, ...panels, bar]) subscribe(part.update);
  notify();
}

build();
listen();
