#pragma once

/*
 * page.h - the frame of our HTML pages: no scripts, works in text browsers
 */

#include "base/buf.h"
#include "base/str.h"

#define PAGE_MAX (64u * 1024)

/* Everything up to the contents; the title is escaped. */
void page_begin(struct buf *out, struct str title);

/* <p> with escaped text. */
void page_paragraph(struct buf *out, struct str text);

/* The rest, with the request id in small print unless it is empty. */
void page_end(struct buf *out, struct str request_id);

/* Content-Security-Policy of every page: nothing but inline styles and forms to ourselves. */
struct str page_security_policy(void);
