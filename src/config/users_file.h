#pragma once

/*
 * users_file.h - read and change a file of local users (extensions.md 2)
 *
 * A YAML list of entries as under local_users. Changing rewrites the whole file (atomically, 0600); comments are not kept.
 */

#include "base/arena.h"
#include "base/err.h"
#include "config/config.h"

#define USERS_MAX 100000

struct users_file {
	struct arena arena;
	struct config_user *users;
	size_t count;
};

/* A file that does not exist reads as empty if may_be_missing. */
int users_file_read(const char *path, bool may_be_missing, struct users_file *ret, struct err *e);
int users_file_write(const char *path, const struct users_file *file, struct err *e);
void users_file_done(struct users_file *file);

/* By e-mail without regard to case; NULL if there is none. */
struct config_user *users_file_find(struct users_file *file, struct str email);

/* Appends an empty entry. */
struct config_user *users_file_add(struct users_file *file);
void users_file_remove(struct users_file *file, struct config_user *user);
