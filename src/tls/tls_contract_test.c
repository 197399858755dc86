/*
 * The stream contract over every lower stream there is, for both versions and for both roles.
 *
 * The contract's scenes write a few bytes while the other end does not read: the lower stream must hold the records
 * and the session ticket that they become.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "io/stream_tcp.h"
#include "tests/support/stream_contract.h"
#include "tests/support/tls_testing.h"

struct setting {
	const char *name;
	int version;
	bool is_a_server;
	bool has_sockets;
	bool has_tls_below;
	struct stream_mem_options mem;
	struct tls_config *server;
	struct tls_config *client;
};

static void open_lower(const struct setting *setting, struct loop *loop, struct stream **ret_a,
		       struct stream **ret_b)
{
	int fds[2];

	if (!setting->has_sockets) {
		stream_mem_pair(loop, &setting->mem, ret_a, ret_b);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	*ret_a = stream_tcp_open(loop, fds[0], NULL);
	*ret_b = stream_tcp_open(loop, fds[1], NULL);
}

/* Two streams of TLS on the given ones, ready to be used. */
static void wrap(const struct setting *setting, struct loop *loop, struct stream **client,
		 struct stream **server)
{
	*client = tls_stream_connect(loop, *client, setting->client, STR("a.example"));
	*server = tls_stream_accept(loop, *server, setting->server);
	test_set_version(*client, setting->version);
	test_handshake_streams(loop, *client, *server);
}

static void open_pair(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	const struct setting *setting = arg;
	struct stream *client = NULL;
	struct stream *server = NULL;

	open_lower(setting, loop, &client, &server);
	if (setting->has_tls_below)
		wrap(setting, loop, &client, &server);
	wrap(setting, loop, &client, &server);
	*ret_a = setting->is_a_server ? server : client;
	*ret_b = setting->is_a_server ? client : server;
}

static void test_contract(void **state)
{
	struct setting settings[] = {
		{ .name = "tls 1.3 over mem", .version = TLS1_3_VERSION },
		{ .name = "tls 1.2 over mem", .version = TLS1_2_VERSION },
		{ .name = "tls 1.3 over mem, server",
		  .version = TLS1_3_VERSION,
		  .is_a_server = true },
		{ .name = "tls 1.2 over mem, server",
		  .version = TLS1_2_VERSION,
		  .is_a_server = true },
		{ .name = "tls 1.3 over slow mem",
		  .version = TLS1_3_VERSION,
		  .mem = { .capacity = 2000, .read_max = 1, .write_max = 3, .shutdown_waits = 2 } },
		{ .name = "tls 1.2 over slow mem",
		  .version = TLS1_2_VERSION,
		  .mem = { .capacity = 2000, .read_max = 1, .write_max = 3, .shutdown_waits = 2 } },
		{ .name = "tls 1.3 over odd mem",
		  .version = TLS1_3_VERSION,
		  .is_a_server = true,
		  .mem = { .capacity = 300000, .read_max = 16500 } },
		{ .name = "tls 1.3 over tls", .version = TLS1_3_VERSION, .has_tls_below = true },
		{ .name = "tls 1.2 over tls", .version = TLS1_2_VERSION, .has_tls_below = true },
		{ .name = "tls 1.3 over sockets", .version = TLS1_3_VERSION, .has_sockets = true },
		{ .name = "tls 1.2 over sockets", .version = TLS1_2_VERSION, .has_sockets = true },
	};
	struct test_pem ca;
	struct test_pem pem;
	struct tls_config *server;
	struct tls_config *client;

	test_pem_ca(&ca, "Test CA");
	test_pem_server(&pem, &ca, "a.example");
	server = test_server_config(&pem, NULL);
	client = test_client_config(&ca, NULL);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		settings[i].server = server;
		settings[i].client = client;
		stream_contract_run(&(struct stream_contract){
			.name = settings[i].name,
			.open_pair = open_pair,
			.arg = &settings[i],
			.shows_reset = true,
		});
	}
	tls_config_unref(server);
	tls_config_unref(client);
	test_pem_done(&pem);
	test_pem_done(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
