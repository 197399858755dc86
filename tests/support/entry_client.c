#include "tests/support/entry_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/connection.h"
#include "tests/support/stream_mem.h"

static void ignore_event(void *arg, unsigned events)
{
}

/* As the listener hands it over. */
struct stream *entry_client_open(struct exchange_fixture *f)
{
	struct stream *near;
	struct stream *far;

	stream_mem_pair(f->worker.loop, NULL, &far, &near);
	stream_set_owner(far, ignore_event, NULL);
	connection_open(&f->worker, near, &f->connection.peer);
	return far;
}

void entry_client_send(struct exchange_fixture *f, struct stream *client, const char *text)
{
	assert_int_equal(stream_write(client, text, strlen(text)), strlen(text));
	exchange_fixture_settle(f);
}

ssize_t entry_client_receive(struct exchange_fixture *f, struct stream *client, char *to,
			     size_t size)
{
	ssize_t count;

	exchange_fixture_settle(f);
	count = stream_read(client, to, size - 1);
	to[count > 0 ? count : 0] = '\0';
	return count;
}

bool entry_client_is_open(struct exchange_fixture *f, struct stream *client)
{
	char text[4096];

	return entry_client_receive(f, client, text, sizeof(text)) == STREAM_AGAIN;
}

void entry_client_hang_up(struct exchange_fixture *f, struct stream *client)
{
	stream_close(client, STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(f);
}

size_t entry_count(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}
