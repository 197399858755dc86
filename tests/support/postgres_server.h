#pragma once

/*
 * postgres_server.h - a PostgreSQL server of the test's own
 *
 * In a directory of its own below /tmp, on a Unix socket there and on no port. The server refuses to run as root: then it runs as
 * the user postgres. It ends with the test program, whatever becomes of that.
 *
 * Roles: postgres may do everything, and "locked" nothing but log in with the password "correct-password". Database: postgres.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct postgres_server;

/* False: the server's programs are not installed. */
bool postgres_server_is_installed(void);

/* Made and started; aborts if that is not possible. */
struct postgres_server *postgres_server_new(void);
void postgres_server_free(struct postgres_server *s);

/* Cuts all connections, as a crash does; and begins again with what was committed. */
void postgres_server_crash(struct postgres_server *s);
void postgres_server_start(struct postgres_server *s);

/* "host=... user=postgres dbname=postgres"; and the directory of the socket, to build others. */
const char *postgres_server_connection(const struct postgres_server *s);
const char *postgres_server_directory(const struct postgres_server *s);

/* Runs statements as postgres. Gives the number in the first column of the first row of the last one, or 0. */
long postgres_server_run(struct postgres_server *s, const char *sql);
