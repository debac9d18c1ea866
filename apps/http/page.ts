/** The page: valid HTML and CSS with nothing from elsewhere; its script asks /stats for what it shows. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>aemos</title>
<link rel="icon" href="data:,">
<style>
:root { --ink: #1b2430; --soft: #5b6775; --line: #d9dfe6; --ground: #f6f8fa; --card: #fff; --mark: #0b6e6e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5eaf0; --soft: #98a5b3; --line: #2c3641; --ground: #12181f; --card: #1a222b; --mark: #4cc9c0; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { margin: 0; font-size: 2.25rem; letter-spacing: -.02em; }
h1 small { color: var(--soft); font-size: 1rem; font-weight: 400; letter-spacing: 0; }
p { margin: .75rem 0 2rem; max-width: 38rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0 0 2rem; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
dt { color: var(--soft); font-size: .8125rem; }
dd { margin: .125rem 0 0; font-size: 1.375rem; font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0 0 2rem; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem; }
li { border: 1px solid var(--line); border-radius: 1rem; padding: .125rem .75rem; font-size: .875rem; }
li:last-child { border-color: var(--mark); color: var(--mark); }
footer { color: var(--soft); font-size: .875rem; }
a { color: var(--mark); }
</style>
</head>
<body>
<main>
<h1>aemos <small id="version"></small></h1>
<p>A kernel in TypeScript, with no other operating system below it. This page was sent by an event handler: the
network card interrupted, the kernel called the handler with your request already in its memory, and the
handler answered.</p>
<ol aria-label="The way of your request">
<li>interrupt</li><li>virtio-net</li><li>IPv4</li><li>TCP</li><li>event</li><li>handler</li>
</ol>
<dl>
<div><dt>Uptime</dt><dd id="uptime">-</dd></div>
<div><dt>Processes</dt><dd id="processes">-</dd></div>
<div><dt>Requests</dt><dd id="requests">-</dd></div>
<div><dt>Connections open</dt><dd id="open">-</dd></div>
<div><dt>Connections so far</dt><dd id="total">-</dd></div>
<div><dt>Events registered</dt><dd id="events">-</dd></div>
<div><dt>Handlers run</dt><dd id="handled">-</dd></div>
<div><dt>Memory free</dt><dd id="memory">-</dd></div>
</dl>
<footer>Figures from <a href="/stats">/stats</a>, as JSON. <span id="state" role="status"></span></footer>
</main>
<script>
const show = (id, text) => { document.getElementById(id).textContent = text; };
const time = (s) => s < 60 ? s.toFixed(0) + " s" : s < 3600 ? Math.floor(s / 60) + " min" :
  s < 86400 ? (s / 3600).toFixed(1) + " h" : (s / 86400).toFixed(1) + " d";
const count = (n) => n.toLocaleString("en");
const update = async () => {
  try {
    const s = await (await fetch("/stats", { cache: "no-store" })).json();
    show("version", s.version);
    show("uptime", time(s.uptimeSeconds));
    show("processes", count(s.kernel.processes));
    show("requests", count(s.requests));
    show("open", count(s.connections.open));
    show("total", count(s.connections.total));
    show("events", count(s.kernel.events));
    show("handled", count(s.kernel.handled));
    show("memory", (s.kernel.memoryFree / 1048576).toFixed(1) + " MiB");
    show("state", "");
  } catch { show("state", "No answer; trying again."); }
};
update();
setInterval(update, 2000);
</script>
</body>
</html>
`;
