#pragma once

/*
 * page.h - the frame of our HTML pages, and what stands in it
 *
 * Pure: facts in, text out. Whatever is not a constant of ours is escaped here, and nowhere else: a page is made
 * from these functions alone, so that no fact can break out of its place. No scripts; good in text browsers.
 *
 * Limits     PAGE_MAX: what does not fit is left out. Values are cut at PAGE_VALUE_MAX.
 */

#include "base/buf.h"
#include "base/str.h"

#define PAGE_MAX       (512u * 1024)
#define PAGE_VALUE_MAX 512
#define PAGE_LIST_MAX  50

/* Where every page gets its style from. */
#define PAGE_STYLE_PATH "/.pomerium/index.css"

/* Everything up to the contents; the title is the heading, too. */
void page_begin(struct buf *out, struct str title);

/* The end, with a line of small print unless it is empty. */
void page_end(struct buf *out, struct str small_print);

/* Texts that are ours, with tags. */
void page_markup(struct buf *out, struct str markup);

void page_text(struct buf *out, struct str text);
void page_paragraph(struct buf *out, struct str text);

/* A paragraph that is read out at once; nothing if it is empty. */
void page_problem(struct buf *out, struct str problem);

/* Between <dl> and </dl>: nothing if the value is empty. */
void page_fact(struct buf *out, const char *label, struct str value);

/* The same with several values, PAGE_LIST_MAX of them at most. */
void page_facts(struct buf *out, const char *label, const struct str *values, size_t count);

void page_hidden_field(struct buf *out, const char *name, struct str value);

/* The style sheet: a constant. */
struct str page_style(void);
