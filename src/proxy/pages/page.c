#include "proxy/pages/page.h"

#include "base/codec.h"

void page_begin(struct buf *out, struct str title)
{
	(void)buf_append_str(
		out,
		STR("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<title>"));
	(void)html_escape(out, title);
	(void)buf_append_str(
		out,
		STR(" - Pomerium</title>\n<style>\n"
		    ":root{color-scheme:light dark}\n"
		    "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:12vh auto;padding:0 1rem}\n"
		    "h1{font-size:1.4rem}\n"
		    "label{display:block;margin:1rem 0 .25rem}\n"
		    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}\n"
		    "button{font:inherit;margin-top:1.25rem;padding:.5rem 1.25rem}\n"
		    "dt{font-weight:600}dd{margin:0 0 .5rem}\n"
		    ".problem{border-left:4px solid #b00020;padding-left:.75rem}\n"
		    "small{opacity:.7}\n"
		    "</style>\n</head>\n<body>\n<h1>"));
	(void)html_escape(out, title);
	(void)buf_append_str(out, STR("</h1>\n"));
}

void page_paragraph(struct buf *out, struct str text)
{
	(void)buf_append_str(out, STR("<p>"));
	(void)html_escape(out, text);
	(void)buf_append_str(out, STR("</p>\n"));
}

void page_end(struct buf *out, struct str request_id)
{
	if (!str_is_empty(request_id)) {
		(void)buf_append_str(out, STR("<p><small>Request "));
		(void)html_escape(out, request_id);
		(void)buf_append_str(out, STR("</small></p>\n"));
	}
	(void)buf_append_str(out, STR("</body>\n</html>\n"));
}

struct str page_security_policy(void)
{
	return STR(
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
}
