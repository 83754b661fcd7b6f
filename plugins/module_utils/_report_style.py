# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the report looks. Text has a contrast of 4.5 to 1 at least, bars and lines one of 3 to 1, in light and dark. Private to this collection."""

from __future__ import annotations

#: Name, value in light and value in dark; the test computes their contrasts.
COLOURS = {
    "page": ("#f6f7f9", "#101318"),
    "card": ("#ffffff", "#181c23"),
    "text": ("#1a1f27", "#e7eaef"),
    "soft": ("#545d6b", "#a3adbb"),
    "rule": ("#d8dde4", "#303743"),
    "line": ("#76808e", "#727d8c"),
    "make": ("#76808e", "#8d97a5"),
    "start": ("#1a63d6", "#5aa2ff"),
    "init": ("#a35200", "#f0a030"),
    "good": ("#17703a", "#54c37c"),
    "bad": ("#c2242f", "#ff7b7b"),
    "phase": ("#e6e9ee", "#2a313c"),
}


def _variables(index: int) -> str:
    return "".join(f"--{name}:{values[index]};" for name, values in COLOURS.items())


STYLE = f"""
:root{{{_variables(0)}}}
@media screen and (prefers-color-scheme:dark){{:root{{{_variables(1)}}}}}
""" + """
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;background:var(--page);color:var(--text);-webkit-text-size-adjust:100%}
body{margin:0}
main{max-width:66rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:0 0 .25rem;overflow-wrap:anywhere}
h3{font-size:.95rem;margin:1.1rem 0 .3rem;overflow-wrap:anywhere}
p{margin:.25rem 0;overflow-wrap:anywhere}
a{color:var(--start)}
:focus-visible{outline:2px solid var(--start);outline-offset:2px}
small,.intro{color:var(--soft)}
small{font-size:.82em;font-weight:400}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:1rem 1.1rem;margin-top:1rem}
header{padding:0 .1rem}
.badge{display:inline-block;margin-right:.7rem;padding:.15rem .7rem;border-radius:99px;border:1px solid var(--good);color:var(--good);background:var(--card)}
.outcome-failed .badge,.outcome-unreachable .badge,.outcome-unfinished .badge,.outcome-unknown .badge{border-color:var(--bad);color:var(--bad)}
.failure{border-left:4px solid var(--bad)}
pre{margin:.6rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:.6rem}
caption{text-align:left;font-weight:600;padding:.7rem 0 .1rem;overflow-wrap:anywhere}
th,td{text-align:left;vertical-align:top;padding:.38rem .7rem .38rem 0;overflow-wrap:anywhere}
th{font-weight:500}
thead th{color:var(--soft);font-size:.85rem;font-weight:500}
tbody tr{border-top:1px solid var(--rule)}
.number{font-variant-numeric:tabular-nums}
.code{font:13px/1.6 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.cards tbody th{width:9.5rem;min-width:6rem}
.cards .brief{overflow-wrap:break-word;padding-right:1.4rem}
td ul{list-style:none;margin:0;padding:0}
del{color:var(--soft);text-decoration:none}
ins{text-decoration:none}
.status-failed,.status-restored{--mark:var(--bad)}
.status-ready{--mark:var(--good)}
.status-planned,.status-begun{--mark:var(--init)}
td .status-failed,td .status-restored,.gantt .status-failed .number,.gantt .status-restored .number{color:var(--bad)}
td .status-ready{color:var(--good)}
td .status-planned,td .status-begun{color:var(--init)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.5rem 0 0;padding:0;font-size:.87rem;color:var(--soft)}
.legend .bar{position:static;display:inline-block;width:1.3rem;height:.7rem;margin-right:.4rem}
.legend .seen{width:.45rem}
.legend .key{background:var(--mark,var(--make));width:.45rem}
.gantt{table-layout:fixed}
.gantt th:first-child{width:9.5rem}
.gantt th:last-child,.gantt td:last-child{width:6.6rem;padding-left:.7rem;padding-right:0;text-align:right}
.gantt th,.gantt td{padding-top:.3rem;padding-bottom:.3rem;vertical-align:middle}
.gantt td{padding-right:0}
.ticks{position:relative;height:1.5rem;font-size:.78rem;color:var(--soft);font-variant-numeric:tabular-nums}
.ticks span{position:absolute;bottom:.15rem}
.track{position:relative;height:1.15rem;background-image:linear-gradient(90deg,var(--rule) 1px,transparent 1px)}
.bar{position:absolute;top:.12rem;bottom:.12rem;min-width:3px;border-radius:2px;background:var(--make);font-style:normal}
.bar.start{background:var(--start)}
.bar.init{background:var(--init);top:.32rem;bottom:.32rem}
.bar.bad{background:repeating-linear-gradient(135deg,var(--bad) 0 4px,var(--card) 4px 6px);border:1px solid var(--bad)}
.bar.seen{background:var(--card);border:2px solid var(--make);min-width:7px}
.bar.phase{background:var(--phase);border-left:1px solid var(--line);border-radius:0;
 color:var(--soft);font-size:.72rem;line-height:.92rem;padding-left:.25rem;overflow:hidden;white-space:nowrap}
.phases th{color:var(--soft)}
.wide>svg{display:block;width:100%;height:auto;margin-top:.7rem}
svg text{fill:var(--text);font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
svg .image{fill:var(--soft);font-size:10.5px}
svg .hostname{font-weight:600}
svg .host{fill:none;stroke:var(--line);stroke-dasharray:2 3}
svg .box{fill:var(--page);stroke:var(--line)}
svg .mark{fill:var(--mark,var(--make))}
svg .link{fill:none;stroke:var(--line);stroke-width:1.2}
svg .link.initialised{stroke-dasharray:5 3}
dl{margin:.5rem 0 0;display:flex;flex-wrap:wrap;gap:.3rem 2rem}
dt{color:var(--soft);font-size:.85rem}
dd{margin:0;overflow-wrap:anywhere}
.plain{min-width:38rem}
.plain td small{display:block}
@media (max-width:640px){
main{padding:1rem .6rem 2rem}
section{padding:.8rem .75rem}
.gantt th:first-child{width:6.6rem;padding-right:.4rem}
.gantt th:last-child,.gantt td:last-child{width:4.3rem;padding-left:.4rem}
.gantt th,.gantt td{font-size:.86rem}
.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.cards tr{display:block;padding:.5rem 0}
.cards th,.cards td{display:block;padding:.1rem 0}
.cards tbody th{font-weight:600}
.cards td.brief{display:inline-block;margin-right:1.2rem}
.cards td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
}
@media print{
html{font-size:11px;background:none;--page:#fff}
main{max-width:none;padding:0}
section{border:0;border-top:1px solid var(--rule);border-radius:0;padding:.8rem 0;break-inside:auto}
tr,svg{break-inside:avoid}
h2,h3,caption{break-after:avoid}
.wide{overflow:visible}
.bar,.track,svg,.badge{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
"""
