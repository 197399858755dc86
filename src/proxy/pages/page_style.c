/*
 * The look of every page, as one style sheet: served from our own host at PAGE_STYLE_PATH, so that the pages themselves
 * can forbid everything else. Colours have a contrast of 4.5 at least on what they stand on, light and dark.
 */

#include "proxy/pages/page.h"

static const char style[] =
	":root{color-scheme:light dark;--page:#f3f4f7;--card:#fff;--text:#1a1d27;--quiet:#565d6d;"
	"--line:#dcdfe6;--edge:#7d8495;--accent:#5137c4;--hover:#412aa6;--on-accent:#fff;"
	"--problem:#9b1c2b;--tint:#fcebed}\n"
	"@media(prefers-color-scheme:dark){:root{--page:#111319;--card:#1b1e27;--text:#e9ebf1;"
	"--quiet:#a8aebd;--line:#333846;--edge:#858c9f;--accent:#b1a1ff;--hover:#c6baff;"
	"--on-accent:#17122b;--problem:#ffb4bc;--tint:#3b1f25}}\n"
	"*{box-sizing:border-box}\n"
	"html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
	"body{margin:0;min-height:100vh;padding:1.25rem;display:flex;flex-direction:column;"
	"align-items:center;background:var(--page);color:var(--text);"
	"font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",sans-serif}\n"
	"header,main,footer{width:100%;max-width:27rem}\n"
	"header{margin:8vh 0 .75rem;color:var(--quiet);font-weight:600;letter-spacing:.01em}\n"
	"main{padding:1.75rem;background:var(--card);border:1px solid var(--line);"
	"border-radius:.75rem;overflow-wrap:anywhere}\n"
	"h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.3;font-weight:650}\n"
	"p{margin:0 0 .75rem}\n"
	"main>:last-child{margin-bottom:0}\n"
	".quiet,footer{color:var(--quiet);font-size:.875rem}\n"
	"footer{margin-top:.75rem;overflow-wrap:anywhere}\n"
	".problem{padding:.625rem .875rem;border-left:.25rem solid;border-radius:.25rem;"
	"background:var(--tint);color:var(--problem)}\n"
	"form{margin:0}\n"
	"label{display:block;margin:1rem 0 .25rem;font-weight:600}\n"
	"input{display:block;width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;"
	"color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:.5rem}\n"
	"::placeholder{color:var(--quiet);opacity:1}\n"
	".code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:1.5rem;"
	"letter-spacing:.1em}\n"
	"p.code{margin:.75rem 0;padding:.75rem;border:1px solid var(--line);border-radius:.5rem;"
	"text-align:center;font-weight:600}\n"
	".buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\n"
	"button{flex:1 1 8rem;min-height:2.75rem;padding:.5rem 1.25rem;font:inherit;font-weight:600;"
	"color:var(--on-accent);background:var(--accent);border:1px solid var(--accent);"
	"border-radius:.5rem;cursor:pointer}\n"
	"button:hover{background:var(--hover);border-color:var(--hover)}\n"
	"button.other{color:var(--text);background:none;border-color:var(--edge)}\n"
	"button.other:hover{border-color:var(--text)}\n"
	"a{color:var(--accent)}\n"
	":focus-visible{outline:.1875rem solid var(--accent);outline-offset:.125rem}\n"
	"dl{margin:1rem 0;display:grid;grid-template-columns:auto 1fr;gap:.5rem 1.25rem}\n"
	"dt{grid-column:1;color:var(--quiet)}\n"
	"dd{grid-column:2;margin:0;min-width:0;unicode-bidi:isolate}\n"
	"@media(max-width:22.5rem){body{padding:.75rem}header{margin-top:1rem}main{padding:1.25rem}"
	"dl{display:block}dd{margin-bottom:.5rem}}\n";

struct str page_style(void)
{
	return STR(style);
}
