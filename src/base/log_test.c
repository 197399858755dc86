/*
 * log_test.c - the bytes of lines in both forms, limits, and what happens when they cannot be
 * written
 */

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/support/clock_fake.h"

#define AT_5_57_PM 1767290220
#define TIME_TAIL  "\"time\":\"2026-01-01T17:57:00Z\","

static int set_time(void **state)
{
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	tzset();
	clock_fake_set_unix(AT_5_57_PM);
	return 0;
}

static int open_memory(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* What was written, NUL-terminated; closes fd. */
static char *close_and_read(int fd)
{
	struct buf text = BUF_INIT(16u << 20);
	char path[64];
	struct err e = { 0 };

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(file_read(path, &text, &e), 0);
	(void)close(fd);
	return buf_take_string(&text);
}

static void write_every_kind(struct log *log)
{
	const struct str groups[] = { { "a", 1 }, { "b c", 3 } };
	struct log_line line;

	log_begin(log, &line, LOG_INFO, "authorize");
	log_str(&line, "request-id", STR("id-1"));
	log_cstr(&line, "path", "/a b?x=<1>&y");
	log_cstr(&line, "nothing", NULL);
	log_int(&line, "number", -5);
	log_uint(&line, "size", UINT64_MAX);
	log_bool(&line, "allow-why-true", true);
	log_thousandths(&line, "duration", 15230418);
	log_str_list(&line, "groups", groups, 2);
	log_str_list(&line, "none", NULL, 0);
	log_end(&line, "authorize check");
}

static void test_json_form(void **state)
{
	int fd = open_memory();
	struct log *log = log_new(fd, LOG_JSON, LOG_DIRECT, LOG_INFO);

	write_every_kind(log);
	log_message(log, LOG_WARN, NULL, "plain \"words\"\n");
	log_free(log);
	char *text = close_and_read(fd);
	assert_string_equal(
		text,
		"{\"level\":\"info\",\"service\":\"authorize\",\"request-id\":\"id-1\","
		"\"path\":\"/a b?x=<1>&y\",\"nothing\":\"\",\"number\":-5,"
		"\"size\":18446744073709551615,\"allow-why-true\":true,\"duration\":15230.418,"
		"\"groups\":[\"a\",\"b c\"],\"none\":[]," TIME_TAIL
		"\"message\":\"authorize check\"}\n"
		"{\"level\":\"warn\"," TIME_TAIL "\"message\":\"plain \\\"words\\\"\\n\"}\n");
	mem_free(text);
}

static void test_console_form(void **state)
{
	int fd = open_memory();
	struct log *log = log_new(fd, LOG_CONSOLE, LOG_DIRECT, LOG_TRACE);

	log_message(log, LOG_INFO, "tcptunnel", "listening on 127.0.0.1:52046");
	write_every_kind(log);
	log_message(log, LOG_TRACE, NULL, "t");
	log_message(log, LOG_DEBUG, NULL, "d");
	log_message(log, LOG_FATAL, NULL, "f");
	log_free(log);
	char *text = close_and_read(fd);
	assert_string_equal(
		text, "5:57PM INF tcptunnel: listening on 127.0.0.1:52046\n"
		      "5:57PM INF authorize: authorize check request-id=id-1 path=\"/a b?x=<1>&y\""
		      " nothing=\"\" number=-5 size=18446744073709551615 allow-why-true=true"
		      " duration=15230.418 groups=[a,\"b c\"] none=[]\n"
		      "5:57PM TRC t\n5:57PM DBG d\n5:57PM FTL f\n");
	mem_free(text);
}

static void test_nothing_can_steer_the_terminal(void **state)
{
	int fd = open_memory();
	struct log *log = log_new(fd, LOG_CONSOLE, LOG_DIRECT, LOG_INFO);
	struct log_line line;

	log_begin(log, &line, LOG_INFO, NULL);
	log_cstr(&line, "a", "x\x1b[2J\r\n\x7f");
	log_cstr(&line, "b",
		 "\xc2\x9b"
		 "31m\xff\xc3\xa9");
	log_cstr(&line, "c", "q\"b\\");
	log_cstr(&line, "d", "k=v");
	log_end(&line, "m\x1b]0;t\x07\nINF forged");
	log_free(log);
	char *text = close_and_read(fd);
	assert_string_equal(text,
			    "5:57PM INF m\\x1b]0;t\\x07\\nINF forged a=\"x\\x1b[2J\\x0d\\n\\x7f\""
			    " b=\"\\xc2\\x9b31m\\xff\xc3\xa9\" c=\"q\\\"b\\\\\" d=\"k=v\"\n");
	mem_free(text);
}

static void test_levels(void **state)
{
	int fd = open_memory();
	struct log *log = log_new(fd, LOG_CONSOLE, LOG_DIRECT, LOG_WARN);

	log_message(log, LOG_INFO, NULL, "unwanted");
	write_every_kind(log);
	log_message(log, LOG_WARN, NULL, "w");
	assert_false(log_is_enabled(log, LOG_INFO));
	assert_true(log_is_enabled(log, LOG_ERROR));
	log_free(log);

	log = log_new(fd, LOG_CONSOLE, LOG_DIRECT, LOG_DEBUG);
	log_message(log, LOG_DEBUG, NULL, "d");
	log_free(log);

	log = log_new(fd, LOG_CONSOLE, LOG_DIRECT, LOG_OFF);
	log_message(log, LOG_FATAL, NULL, "unwanted");
	assert_false(log_is_enabled(log, LOG_OFF));
	log_free(log);
	char *text = close_and_read(fd);
	assert_string_equal(text, "5:57PM WRN w\n5:57PM DBG d\n");
	mem_free(text);
}

static void test_no_log_is_fine(void **state)
{
	const struct err e = { .text = "x" };

	write_every_kind(NULL);
	log_message(NULL, LOG_FATAL, NULL, "x");
	log_error(NULL, LOG_FATAL, NULL, "x", &e);
	assert_false(log_is_enabled(NULL, LOG_FATAL));
	log_free(NULL);
}

static void test_error_field(void **state)
{
	int fd = open_memory();
	struct log *log = log_new(fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	struct err e;

	err_set(&e, ERR_DNS, "no address for \"h\"");
	log_error(log, LOG_ERROR, "envoy", "dial", &e);
	log_error(log, LOG_ERROR, NULL, "dial", NULL);
	log_free(log);
	char *text = close_and_read(fd);
	assert_string_equal(
		text, "{\"level\":\"error\",\"service\":\"envoy\",\"error\":"
		      "\"no address for \\\"h\\\"\"," TIME_TAIL "\"message\":\"dial\"}\n"
		      "{\"level\":\"error\",\"error\":\"\"," TIME_TAIL "\"message\":\"dial\"}\n");
	mem_free(text);
}

static void test_level_names(void **state)
{
	static const struct {
		const char *text;
		enum log_level level;
	} cases[] = {
		{ "trace", LOG_TRACE },  { "debug", LOG_DEBUG },    { "info", LOG_INFO },
		{ "", LOG_INFO },        { "warn", LOG_WARN },      { "warning", LOG_WARN },
		{ "error", LOG_ERROR },  { "critical", LOG_FATAL }, { "fatal", LOG_FATAL },
		{ "panic", LOG_FATAL },  { "off", LOG_OFF },        { "none", LOG_OFF },
		{ "disabled", LOG_OFF },
	};
	enum log_level level = LOG_TRACE;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(log_level_parse(str_from(cases[i].text), &level));
		assert_int_equal(level, cases[i].level);
	}
	assert_false(log_level_parse(STR("loud"), &level));
	assert_false(log_level_parse(STR("info "), &level));
	assert_string_equal(log_level_name(LOG_INFO), "info");
	assert_string_equal(log_level_name(LOG_WARN), "warn");
	assert_string_equal(log_level_name(LOG_FATAL), "fatal");
}

static void test_form_for(void **state)
{
	int fd = open_memory();

	(void)unsetenv("LOG_FORMAT");
	assert_int_equal(log_form_for(fd), LOG_JSON);
	(void)setenv("LOG_FORMAT", "console", 1);
	assert_int_equal(log_form_for(fd), LOG_CONSOLE);
	(void)setenv("LOG_FORMAT", "json", 1);
	assert_int_equal(log_form_for(fd), LOG_JSON);
	(void)unsetenv("LOG_FORMAT");
	(void)close(fd);
}

static void write_long_line(struct log *log, char filler)
{
	char wide[LOG_LINE_MAX + 1];
	struct log_line line;

	memset(wide, filler, LOG_LINE_MAX);
	wide[LOG_LINE_MAX] = '\0';
	log_begin(log, &line, LOG_INFO, "s");
	log_cstr(&line, "first", "1");
	log_cstr(&line, "wide", wide);
	log_cstr(&line, "half", wide + LOG_LINE_MAX - 4000);
	log_cstr(&line, "kept", "2");
	for (int i = 0; i < 200; i++)
		log_cstr(&line, "more",
			 wide + LOG_LINE_MAX - 100); /* up to the limit of the fields */
	log_end(&line, wide);
}

static void test_long_lines_are_cut_between_fields(void **state)
{
	static const enum log_form forms[] = { LOG_JSON, LOG_CONSOLE };
	/* a control byte grows the most when it is escaped */
	static const char fillers[] = { 'w', '\x01', '\xff', '"' };

	for (size_t i = 0; i < ARRAY_LEN(forms) * ARRAY_LEN(fillers); i++) {
		int fd = open_memory();
		struct log *log = log_new(fd, forms[i % 2], LOG_DIRECT, LOG_INFO);
		write_long_line(log, fillers[i / 2]);
		log_free(log);
		char *text = close_and_read(fd);
		size_t len = strlen(text);
		assert_true(len <= LOG_LINE_MAX);
		assert_int_equal(text[len - 1], '\n');
		assert_null(strstr(text, "wide"));
		assert_non_null(strstr(text, "first"));
		assert_non_null(strstr(text, "kept"));
		assert_non_null(strstr(text, "truncated"));
		if (forms[i % 2] == LOG_JSON)
			assert_string_equal(text + len - 3, "\"}\n");
		if (i == 2) /* JSON of control bytes: the message is there in full all the same */
			assert_int_equal(strlen(strstr(text, "\"message\":\"")),
					 11 + 6 * LOG_MESSAGE_MAX + 3);
		mem_free(text);
	}
}

#define WRITERS          4
#define LINES_PER_WRITER 2000

static void *write_many(void *arg)
{
	struct log_line line;

	for (unsigned int i = 0; i < LINES_PER_WRITER; i++) {
		log_begin(arg, &line, LOG_INFO, NULL);
		log_uint(&line, "n", i);
		log_end(&line, "many");
	}
	return NULL;
}

static size_t count_lines(const char *text, const char *expected_end)
{
	struct str rest = str_from(text);
	struct str line;
	size_t count = 0;

	while (str_cut(&rest, '\n', &line) && line.len) {
		assert_true(str_starts_with(line, STR("{\"level\":\"")));
		assert_true(str_ends_with(line, str_from(expected_end)));
		count++;
	}
	return count;
}

static void test_lines_of_many_threads_stay_whole(void **state)
{
	for (int mode = LOG_DIRECT; mode <= LOG_QUEUED; mode++) {
		int fd = open_memory();
		struct log *log = log_new(fd, LOG_JSON, (enum log_mode)mode, LOG_INFO);
		pthread_t threads[WRITERS];
		for (size_t i = 0; i < WRITERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, write_many, log), 0);
		for (size_t i = 0; i < WRITERS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(log_dropped(log), 0);
		log_free(log);
		char *text = close_and_read(fd);
		assert_int_equal(count_lines(text, "\"message\":\"many\"}"),
				 WRITERS * LINES_PER_WRITER);
		mem_free(text);
	}
}

/* Fills a pipe so that a writer blocks on it. Returns how much it took. */
static size_t fill_pipe(int fd)
{
	char byte = '.';
	size_t taken = 0;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, &byte, 1) == 1)
		taken++;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	return taken;
}

struct drain {
	int fd;
	atomic_size_t total;
	struct buf all;
};

static void *drain(void *arg)
{
	struct drain *d = arg;

	for (;;) {
		uint8_t *room = buf_reserve(&d->all, 65536);
		assert_non_null(room);
		ssize_t got = read(d->fd, room, 65536);
		if (got <= 0)
			return NULL;
		buf_commit(&d->all, (size_t)got);
		atomic_fetch_add(&d->total, (size_t)got);
	}
}

/* The number behind the first "count": of a line. */
static uint64_t reported_count(const char *text)
{
	const char *count = strstr(text, "\"count\":");

	assert_non_null(count);
	return strtoull(count + strlen("\"count\":"), NULL, 10);
}

#define FULL_LINE "{\"level\":\"info\"," TIME_TAIL "\"message\":\"fills the queue\"}\n"

/* Nobody reads: the writer is stuck, the queue fills up, the caller goes on. */
static uint64_t send_until_dropped(struct log *log)
{
	uint64_t sent = 0;

	while (log_dropped(log) < 100) {
		log_message(log, LOG_INFO, NULL, "fills the queue");
		sent++;
	}
	return sent;
}

static void test_a_full_queue_drops_counts_and_reports(void **state)
{
	struct drain drained = { .all = BUF_INIT(64u << 20) };
	pthread_t reader;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	size_t junk = fill_pipe(ends[1]);
	struct log *log = log_new(ends[1], LOG_JSON, LOG_QUEUED, LOG_INFO);
	uint64_t sent = send_until_dropped(log);
	uint64_t dropped = log_dropped(log);
	size_t accepted = junk + (size_t)(sent - dropped) * strlen(FULL_LINE);
	drained.fd = ends[0];
	assert_int_equal(pthread_create(&reader, NULL, drain, &drained), 0);
	/* more than what was before the full queue has come through, so it is full no longer */
	while (atomic_load(&drained.total) < accepted - LOG_QUEUE_MAX + LOG_LINE_MAX)
		(void)sched_yield();
	log_message(log, LOG_INFO, NULL, "room again");
	assert_int_equal(log_dropped(log), dropped);
	log_free(log);
	(void)close(ends[1]);
	assert_int_equal(pthread_join(reader, NULL), 0);
	(void)close(ends[0]);

	char *text = buf_take_string(&drained.all);
	char *lines = strchr(text, '{');
	assert_int_equal(reported_count(lines), dropped);
	assert_non_null(strstr(lines, TIME_TAIL "\"message\":\"log lines dropped\"}\n"));
	assert_non_null(strstr(lines, "\"room again\"}\n"));
	assert_int_equal(count_lines(lines, "}"), sent - dropped + 2);
	mem_free(text);
}

static void test_a_reader_that_stopped_does_not_hold_up_the_end(void **state)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)fill_pipe(ends[1]); /* all of it */
	struct log *log = log_new(ends[1], LOG_JSON, LOG_QUEUED, LOG_INFO);
	log_message(log, LOG_INFO, NULL, "lost");
	log_free(log);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_a_closed_pipe_is_survived(void **state)
{
	for (int mode = LOG_DIRECT; mode <= LOG_QUEUED; mode++) {
		int ends[2];
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		(void)close(ends[0]);
		assert_ptr_not_equal(signal(SIGPIPE, SIG_DFL), SIG_ERR);
		struct log *log = log_new(ends[1], LOG_JSON, (enum log_mode)mode, LOG_INFO);
		log_message(log, LOG_INFO, NULL, "lost");
		log_message(log, LOG_INFO, NULL, "lost too");
		if (mode == LOG_DIRECT)
			assert_int_equal(log_dropped(log), 2);
		log_free(log);
		(void)close(ends[1]);
	}
	sigset_t pending;
	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, SIGPIPE));
}

static void test_a_full_disk_is_survived(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	struct log *log = log_new(fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	log_message(log, LOG_INFO, NULL, "lost");
	assert_int_equal(log_dropped(log), 1);
	log_free(log);
	(void)close(fd);
}

static void test_closed_fd_is_survived(void **state)
{
	struct log *log = log_new(-1, LOG_CONSOLE, LOG_QUEUED, LOG_INFO);

	for (int i = 0; i < 100; i++)
		log_message(log, LOG_INFO, NULL, "lost");
	log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_form),
		cmocka_unit_test(test_console_form),
		cmocka_unit_test(test_nothing_can_steer_the_terminal),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_no_log_is_fine),
		cmocka_unit_test(test_error_field),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_form_for),
		cmocka_unit_test(test_long_lines_are_cut_between_fields),
		cmocka_unit_test(test_lines_of_many_threads_stay_whole),
		cmocka_unit_test(test_a_full_queue_drops_counts_and_reports),
		cmocka_unit_test(test_a_reader_that_stopped_does_not_hold_up_the_end),
		cmocka_unit_test(test_a_closed_pipe_is_survived),
		cmocka_unit_test(test_a_full_disk_is_survived),
		cmocka_unit_test(test_closed_fd_is_survived),
	};

	return cmocka_run_group_tests(tests, set_time, NULL);
}
