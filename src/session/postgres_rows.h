#pragma once

/*
 * postgres_rows.h - the operations of a PostgreSQL backend on rows
 *
 * Private to session/. They are those of struct store_backend_ops.
 */

#include "base/random.h"
#include "session/postgres_link.h"
#include "session/store_backend.h"

struct postgres_backend {
	struct store_backend backend;
	struct postgres_link link;
	char origin[UUID_TEXT_LEN + 1]; /* of our notifications */
	bool was_up;
	bool has_failed;    /* a call did: wait() has to tell that all is well again */
	int64_t rows;       /* about, without rows_added */
	int64_t rows_added; /* in this transaction */
	uint64_t counted_ms;
};

/* Counts the rows, before the first put. */
int postgres_rows_count(struct postgres_backend *p, struct err *e);

void postgres_rows_tell(struct postgres_backend *p, const struct record_stamp *stamp);

int postgres_put(struct store_backend *b, struct record *r, uint64_t expected_version,
		 enum store_result *ret, struct err *e);
int postgres_get(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		 struct record *ret_record, enum store_result *ret, struct err *e);
int postgres_remove(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		    struct record *ret_record, enum store_result *ret, struct err *e);
int postgres_list(struct store_backend *b, const struct record_filter *filter, struct arena *arena,
		  struct record_list *ret, struct err *e);
int postgres_claim(struct store_backend *b, const struct record_claim *claim, struct arena *arena,
		   struct record_list *ret, struct err *e);
int postgres_purge(struct store_backend *b, int64_t now_unix, size_t limit, struct arena *arena,
		   struct record_list *ret, struct err *e);
int postgres_compare(struct store_backend *b, struct record_stamp *stamps, size_t count,
		     struct err *e);
int postgres_count(struct store_backend *b, enum record_kind kind, uint64_t *ret, struct err *e);
