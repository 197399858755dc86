/*
 * Which addresses have a session. The gateway is a socket that takes connections and says nothing, but for the one answer
 * that a test writes itself; the clock is the test's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/end_question.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/local_tunnel.h"
#include "cli/login.h"
#include "cli/platform.h"
#include "cli/udp_listener.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "tests/support/clock_fake.h"

#define START_MS 1000000
#define LOG_MAX  (4u << 20)
#define BURST    270 /* more than a turn takes, less than fills the socket */
#define STARTED  "\"message\":\"starting udp session\""
#define STOPPED  "\"message\":\"stopped udp session\""
#define OPENED   "HTTP/1.1 200 OK\r\nCapsule-Protocol: ?1\r\nX-Pomerium-Half-Close: ?1\r\n\r\n"
#define PACKET   "\0\3\0hi" /* of capsule type 0, 3 bytes, context 0 */
#define BROKEN   "\0\0"     /* a packet without a context */

struct fixture {
	struct loop *loop;
	struct resolver *resolver;
	int gateway_fd;
	int log_fd;
	struct destination destination;
	struct gateway gateway;
	struct events events;
	struct credentials credentials;
	struct login login;
	struct end_questions questions;
	struct local_tunnel_context context;
	struct udp_listener *listener;
	struct sockaddr_in address;
};

static struct sockaddr_in loopback(unsigned number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(0x7f010000u + number) };
}

static uint16_t open_gateway(struct fixture *f, bool is_there)
{
	struct sockaddr_in address = loopback(1);
	socklen_t len = sizeof(address);

	f->gateway_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->gateway_fd, (struct sockaddr *)&address, len), 0);
	if (is_there)
		assert_int_equal(listen(f->gateway_fd, SOMAXCONN), 0);
	assert_int_equal(getsockname(f->gateway_fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

static void open_fixture(struct fixture *f, bool is_there)
{
	struct addr any;
	char url[64];
	struct err e;

	platform_raise_descriptor_limit();
	clock_fake_set_ms(START_MS);
	*f = (struct fixture){ .loop = loop_new() };
	f->resolver = resolver_new(f->loop, &e);
	(void)snprintf(url, sizeof(url), "http://127.1.0.1:%u", open_gateway(f, is_there));
	assert_int_equal(destination_parse(STR("dns.example:53"), url, &f->destination, &e), 0);
	f->gateway = (struct gateway){ .loop = f->loop,
				       .resolver = f->resolver,
				       .destination = &f->destination,
				       .carries_udp = true };
	f->log_fd = memfd_create("log", MFD_CLOEXEC);
	f->events.log = log_new(f->log_fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	credentials_init(&f->credentials, NULL, STR("gw"), false);
	end_questions_init(&f->questions);
	login_init(&f->login, &(struct login_options){
				      .browser = { .gateway = &f->gateway, .events = &f->events },
				      .credentials = &f->credentials });
	f->context = (struct local_tunnel_context){ .gateway = &f->gateway,
						    .events = &f->events,
						    .credentials = &f->credentials,
						    .login = &f->login,
						    .questions = &f->questions };
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &any));
	f->listener = udp_listener_open(&f->context, &any, &e);
	assert_non_null(f->listener);
	udp_listener_address(f->listener, &any);
	f->address = any.ip4;
}

static void close_fixture(struct fixture *f)
{
	udp_listener_close(f->listener);
	login_done(&f->login);
	resolver_free(f->resolver);
	credentials_done(&f->credentials);
	destination_done(&f->destination);
	events_done(&f->events);
	loop_free(f->loop);
	close(f->gateway_fd);
	close(f->log_fd);
}

/* How often the log has the words in a line about that address; NULL: about any. */
static size_t said(const struct fixture *f, const char *words, const char *address)
{
	struct buf text = BUF_INIT(LOG_MAX);
	struct str rest;
	struct str line;
	char path[64];
	size_t count = 0;
	struct err e;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f->log_fd);
	assert_int_equal(file_read(path, &text, &e), 0);
	rest = buf_view(&text);
	while (str_cut(&rest, '\n', &line))
		count += str_contains(line, str_from(words)) &&
			 (!address || str_contains(line, str_from(address)));
	buf_done(&text);
	return count;
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_turn(f->loop, false);
}

/* A packet from 127.1.x.y, always the same port. */
static void send_from(struct fixture *f, unsigned number)
{
	struct sockaddr_in from = loopback(number);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	from.sin_port = htons(40053);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&f->address, sizeof(f->address)),
			 1);
	close(fd);
}

static void fill(struct fixture *f, unsigned from, unsigned until)
{
	for (unsigned i = from; i < until; i++) {
		send_from(f, 0x100 + i);
		settle(f);
	}
	assert_int_equal(said(f, STARTED, NULL), until);
	assert_int_equal(said(f, STOPPED, NULL), 0);
}

static void test_who_is_silent_longest_makes_room_but_nobody_who_is_busy(void **state)
{
	struct fixture f;

	open_fixture(&f, true);
	fill(&f, 0, UDP_SESSIONS_MAX);
	clock_fake_advance_ms(UDP_SPARE_MS - 1);
	send_from(&f, 0x8000);
	settle(&f);
	send_from(&f, 0x8001);
	settle(&f);
	assert_int_equal(said(&f, STARTED, NULL), UDP_SESSIONS_MAX);
	assert_int_equal(said(&f, "further addresses are lost", NULL), 1);

	send_from(&f, 0x100); /* the first is not the oldest any more */
	settle(&f);
	clock_fake_advance_ms(1);
	send_from(&f, 0x8000);
	settle(&f);
	assert_int_equal(said(&f, STARTED, "127.1.128.0:"), 1);
	assert_int_equal(said(&f, STOPPED, NULL), 1);
	assert_int_equal(said(&f, STOPPED, "\"127.1.1.1:"), 1);
	close_fixture(&f);
}

/* Returns the connection, which has to stay. */
static int answer_first(struct fixture *f, struct str capsule)
{
	char head[4096];
	int fd = accept(f->gateway_fd, NULL, NULL);

	assert_true(recv(fd, head, sizeof(head), 0) > 0);
	assert_int_equal(send(fd, OPENED, sizeof(OPENED) - 1, 0), sizeof(OPENED) - 1);
	assert_int_equal(send(fd, capsule.at, capsule.len, 0), capsule.len);
	settle(f);
	return fd;
}

static void test_a_packet_from_the_gateway_is_activity(void **state)
{
	struct fixture f;
	int fd;

	open_fixture(&f, true);
	fill(&f, 0, 1);
	clock_fake_advance_ms(1000);
	fill(&f, 1, 2);
	clock_fake_advance_ms(500);
	fd = answer_first(&f, STR(PACKET));
	fill(&f, 2, UDP_SESSIONS_MAX);
	clock_fake_advance_ms(1500);
	send_from(&f, 0x8000);
	settle(&f);
	assert_int_equal(said(&f, STOPPED, "\"127.1.1.1:"), 1);
	close_fixture(&f);
	close(fd);
}

static void test_after_a_failure_an_address_is_silent_for_a_while(void **state)
{
	struct fixture f;

	open_fixture(&f, false);
	send_from(&f, 0x100);
	settle(&f);
	while (said(&f, STOPPED, NULL) == 0)
		loop_turn(f.loop, false);
	clock_fake_advance_ms(UDP_RETRY_MS - 1);
	send_from(&f, 0x100);
	settle(&f);
	assert_int_equal(said(&f, STARTED, NULL), 1);
	send_from(&f, 0x101); /* others are not concerned */
	settle(&f);
	assert_int_equal(said(&f, STARTED, NULL), 2);
	clock_fake_advance_ms(1);
	send_from(&f, 0x100);
	settle(&f);
	assert_int_equal(said(&f, STARTED, NULL), 3);
	close_fixture(&f);
}

static void test_a_gateway_that_breaks_the_capsules_is_left(void **state)
{
	struct fixture f;
	char rest[100];
	int fd;

	open_fixture(&f, true);
	fill(&f, 0, 1);
	errno = 0;
	fd = answer_first(&f, STR(BROKEN));
	assert_int_equal(said(&f, STOPPED, NULL), 1);
	while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		; /* what the local program has sent */
	assert_true(errno != EAGAIN);
	close_fixture(&f);
	close(fd);
}

/* Although half of a tunnel may stay open: there is nobody to send packets to. */
static void test_a_session_ends_with_the_gateway_s_half(void **state)
{
	struct fixture f;
	int fd;

	open_fixture(&f, true);
	fill(&f, 0, 1);
	fd = answer_first(&f, STR(PACKET));
	settle(&f);
	assert_int_equal(said(&f, STOPPED, NULL), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	settle(&f);
	assert_int_equal(said(&f, STOPPED, NULL), 1);
	close_fixture(&f);
	close(fd);
}

/* The socket tells of packets only when there were none: what is left over must not wait for the next one. */
static void test_a_burst_of_more_than_is_taken_in_a_turn(void **state)
{
	struct fixture f;

	open_fixture(&f, true);
	settle(&f);
	for (unsigned i = 0; i < BURST; i++)
		send_from(&f, 0x100 + i);
	settle(&f);
	assert_int_equal(said(&f, STARTED, NULL), BURST);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_silent_longest_makes_room_but_nobody_who_is_busy),
		cmocka_unit_test(test_a_packet_from_the_gateway_is_activity),
		cmocka_unit_test(test_after_a_failure_an_address_is_silent_for_a_while),
		cmocka_unit_test(test_a_gateway_that_breaks_the_capsules_is_left),
		cmocka_unit_test(test_a_session_ends_with_the_gateway_s_half),
		cmocka_unit_test(test_a_burst_of_more_than_is_taken_in_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
