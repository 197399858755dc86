#pragma once

/*
 * entry_client.h - clients as they come from the listener of an exchange_fixture, before anything is known of them
 *
 * Ownership  A client belongs to its test, which hangs up.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "io/stream.h"
#include "tests/support/exchange_fixture.h"

/* The far end of a connection that was accepted just now. */
struct stream *entry_client_open(struct exchange_fixture *f);
void entry_client_hang_up(struct exchange_fixture *f, struct stream *client);

void entry_client_send(struct exchange_fixture *f, struct stream *client, const char *text);

/* What came, NUL-terminated; as stream_read(). */
ssize_t entry_client_receive(struct exchange_fixture *f, struct stream *client, char *to,
			     size_t size);

/* Nothing came, and it has not ended. */
bool entry_client_is_open(struct exchange_fixture *f, struct stream *client);

/* How often what is in the text. */
size_t entry_count(const char *text, const char *what);
