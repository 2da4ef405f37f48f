"""How the page of an image looks: on light and dark ground, on a phone and on paper."""

__all__ = ["STYLE"]

STYLE = """\
:root{color-scheme:light dark;--ground:#f6f7f9;--sheet:#fff;--ink:#1b1f27;--soft:#5a6372;--line:#dfe3ea;
--accent:#2f5f98;--alarm:#b3263b;--alarm-ground:#fdecee;--good:#24704a;--chip:#eef1f6;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{--ground:#12151b;--sheet:#1a1f28;--ink:#e7eaf0;--soft:#a3adbd;
--line:#2e3644;--accent:#8db8ec;--alarm:#ff8a98;--alarm-ground:#3a1d24;--good:#7fd6a6;--chip:#252c38}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:4rem;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:68rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.25rem}
h1{font-size:1.9rem;line-height:1.2;margin:.1rem 0 .4rem;overflow-wrap:anywhere;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:0 0 .8rem}
h3{font-size:1rem;margin:1.1rem 0 .4rem}
p{margin:.4rem 0}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.eyebrow{color:var(--soft);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;margin:0}
.soft{color:var(--soft)}
code,pre,.mono{font-family:var(--mono);font-size:.86em;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--chip);border-radius:6px;padding:.6rem .8rem;margin:.5rem 0}
section{background:var(--sheet);border:1px solid var(--line);border-radius:12px;padding:1.25rem 1.4rem;
margin:1.1rem 0}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.6rem,1fr));gap:.7rem;margin:1.2rem 0 0}
.figures div{background:var(--sheet);border:1px solid var(--line);border-radius:12px;padding:.7rem .9rem}
.figures dt{color:var(--soft);font-size:.8rem}
.figures dd{margin:0;font-size:1.45rem;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.figures small{display:block;font-size:.78rem;font-weight:400;color:var(--soft);letter-spacing:0}
.figures .bad{border-color:var(--alarm);background:var(--alarm-ground)}
.figures .bad dd{color:var(--alarm)}
nav{position:sticky;top:0;background:var(--ground);border-bottom:1px solid var(--line);z-index:1;margin-top:1.1rem}
nav ul{display:flex;gap:.2rem 1.1rem;list-style:none;max-width:68rem;margin:0 auto;padding:.6rem 1.25rem;
overflow-x:auto;white-space:nowrap}
nav a{text-decoration:none;font-size:.92rem}
nav a:hover{text-decoration:underline}
svg{display:block;max-width:100%;height:auto;color:var(--ink)}
svg a{color:inherit}
.stack,.treemap,.bar{width:100%}
svg a:hover rect:first-of-type{filter:brightness(1.12)}
svg .alarm{fill:var(--alarm)}
.narrow{display:none}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.38rem .7rem .38rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.8rem;white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
td.num,th.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.path{font-family:var(--mono);font-size:.84em;overflow-wrap:anywhere;min-width:12rem}
td.wide{overflow-wrap:anywhere;min-width:13rem}
.bad{color:var(--alarm)}
.good{color:var(--good)}
.empty td{color:var(--soft)}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;margin:.5rem 0;padding:0;list-style:none}
.chips li{background:var(--chip);border-radius:99px;padding:.08rem .7rem;font-size:.86rem}
details{border:1px solid var(--line);border-radius:10px;margin:.55rem 0}
summary{cursor:pointer;padding:.6rem .9rem;display:flex;gap:.8rem;align-items:baseline}
summary::-webkit-details-marker{display:none}
summary::before{content:"▸";color:var(--soft)}
details[open]>summary::before{content:"▾"}
summary b{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-weight:600}
details[open]>summary b{white-space:normal;overflow-wrap:anywhere}
summary span{color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums}
.inside{padding:0 .9rem .9rem;scroll-margin-top:7rem}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0;font-size:.9rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
.gains{padding-left:0;list-style:none;margin:.6rem 0}
.gains li{display:grid;grid-template-columns:5rem 1fr;gap:.8rem;padding:.3rem 0}
.gains b{text-align:right;font-variant-numeric:tabular-nums}
footer{color:var(--soft);font-size:.85rem;padding-bottom:2.5rem}
@media (max-width:40rem){header,main,footer{padding-left:.8rem;padding-right:.8rem}h1{font-size:1.45rem}
section{padding:1rem .9rem}.broad{display:none}.narrow{display:block}.treemap{max-width:none;width:44rem}
.figures{grid-template-columns:1fr 1fr}.figures dd{font-size:1.2rem}.facts{grid-template-columns:1fr}
.facts dd{margin-bottom:.35rem}nav ul{padding:.6rem .8rem}}
@media print{:root{--ground:#fff;--sheet:#fff;--ink:#000;--soft:#444;--line:#bbb;--chip:#f1f1f1;--accent:#000}
nav{display:none}section,details,.figures div{break-inside:avoid}section{border:0;padding:.4rem 0}
body{font-size:12px}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
details::details-content{content-visibility:visible;block-size:auto}}
"""
