/*
 * How many gateways a client remembers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/options.h"

/* Where nothing is kept on disk. */
static void open_client(struct client *client)
{
	struct options options = { 0 };
	struct err e;

	assert_int_equal(setenv("LOG_LEVEL", "off", 1), 0);
	assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
	assert_int_equal(unsetenv("HOME"), 0);
	assert_int_equal(client_init(client, &options, &e), 0);
	assert_int_equal(client_open(client, EXIT_STATUS_OK, &e), 0);
}

static void name_one(unsigned number, struct destination *ret)
{
	char text[64];
	struct err e;

	(void)snprintf(text, sizeof(text), "g%u.example.com:22", number);
	*ret = (struct destination){ 0 };
	assert_int_equal(destination_parse(str_from(text), NULL, ret, &e), 0);
}

static struct account *ask_for(struct client *client, unsigned number)
{
	struct destination destination;
	struct account *account;

	name_one(number, &destination);
	account = client_account(client, &destination);
	destination_done(&destination);
	return account;
}

static void test_the_same_gateway_has_one_account(void **state)
{
	struct client client = { 0 };
	struct account *first;

	open_client(&client);
	first = ask_for(&client, 1);
	assert_ptr_not_equal(ask_for(&client, 2), first);
	assert_ptr_equal(ask_for(&client, 1), first);
	assert_int_equal(client.account_count, 2);
	client_done(&client);
}

static void test_those_nobody_uses_are_forgotten(void **state)
{
	struct client client = { 0 };
	struct local_tunnel_context context;
	struct destination destination;
	struct gateway gateway;
	struct account *used;

	open_client(&client);
	name_one(0, &destination);
	used = client_tunnels(&client, &destination, &gateway, &context);
	for (unsigned i = 1; i < 3 * CLIENT_ACCOUNTS_MAX; i++)
		(void)ask_for(&client, i);
	assert_int_equal(client.account_count, CLIENT_ACCOUNTS_MAX);
	assert_ptr_equal(ask_for(&client, 0), used);
	assert_ptr_equal(context.login, &used->login);
	client_tunnels_end(used);
	for (unsigned i = 1; i < 3 * CLIENT_ACCOUNTS_MAX; i++)
		(void)ask_for(&client, i);
	LIST_FOREACH (&client.accounts, node)
		assert_string_not_equal(
			container_of(node, struct account, node)->destination.gateway_host,
			"g0.example.com");
	destination_done(&destination);
	client_done(&client);
}

static void test_none_is_forgotten_that_is_used(void **state)
{
	const unsigned count = CLIENT_ACCOUNTS_MAX + 10;
	struct local_tunnel_context *contexts = mem_alloc_array(count, sizeof(*contexts));
	struct destination *destinations = mem_alloc_array(count, sizeof(*destinations));
	struct gateway *gateways = mem_alloc_array(count, sizeof(*gateways));
	struct client client = { 0 };

	open_client(&client);
	for (unsigned i = 0; i < count; i++) {
		name_one(i, &destinations[i]);
		(void)client_tunnels(&client, &destinations[i], &gateways[i], &contexts[i]);
	}
	assert_int_equal(client.account_count, count);
	client_done(&client);
	for (unsigned i = 0; i < count; i++)
		destination_done(&destinations[i]);
	mem_free(contexts);
	mem_free(destinations);
	mem_free(gateways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_gateway_has_one_account),
		cmocka_unit_test(test_those_nobody_uses_are_forgotten),
		cmocka_unit_test(test_none_is_forgotten_that_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
