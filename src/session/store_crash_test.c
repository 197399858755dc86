/*
 * What was acknowledged survives the process. A child changes a store in a file with several threads and reports each
 * step through a pipe; it is killed at some moment, and what it has reported must be in the store. Then the next child
 * goes on with the same file.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "tests/support/store_support.h"

#define ROUNDS     30
#define STEPS_MAX  80 /* reported before the child is killed */
#define THREADS    4
#define SHARED_KEY STR("0123456789abcdef0123456789abcdef")

enum step { STEP_PUT = '+', STEP_REMOVING = '?', STEP_REMOVED = '-' };

/* Written at once, so that the threads share the pipe. */
struct report {
	char step;
	char id[UUID_TEXT_LEN + 1];
};

struct fixture {
	char folder[64];
	char file[80];
	struct map steps; /* the last one of each id */
	size_t put_count;
};

static int open_store(const char *file, struct store **ret, struct err *e)
{
	return store_open(&(struct store_options){ .type = STORE_FILE,
						   .where = str_from(file),
						   .shared_key = SHARED_KEY },
			  ret, e);
}

/* ---- the child ---- */

struct writer {
	struct store *store;
	int fd;
};

static void tell(const struct writer *w, enum step step, const char *id)
{
	struct report report = { .step = (char)step };

	memcpy(report.id, id, sizeof(report.id));
	if (write(w->fd, &report, sizeof(report)) != sizeof(report))
		_exit(1);
}

static struct session *put_one(const struct writer *w)
{
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_SESSION };
	char user[UUID_TEXT_LEN + 1];
	struct session *s;

	random_uuid(user);
	s = store_support_session(user, 2000);
	call.item.session = s;
	store_run(w->store, &call);
	if (call.result != STORE_DONE)
		_exit(2);
	tell(w, STEP_PUT, s->id);
	return s;
}

static void remove_one(const struct writer *w, const struct session *s)
{
	struct store_call call = { .verb = STORE_REMOVE, .kind = RECORD_SESSION };

	tell(w, STEP_REMOVING, s->id);
	memcpy(call.key, s->id, sizeof(s->id));
	store_run(w->store, &call);
	if (call.result != STORE_DONE)
		_exit(3);
	tell(w, STEP_REMOVED, s->id);
	store_call_done(&call);
}

static void *write_for_ever(void *arg)
{
	for (unsigned i = 0;; i++) {
		struct session *s = put_one(arg);

		if (i % 3 == 0)
			remove_one(arg, s);
		session_unref(s);
	}
	return NULL;
}

NORETURN static void be_child(const char *file, int fd)
{
	struct writer w = { .fd = fd };
	pthread_t thread;
	struct err e;

	if (open_store(file, &w.store, &e) < 0)
		_exit(4);
	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, write_for_ever, &w) != 0)
			_exit(5);
	(void)write_for_ever(&w);
	_exit(6);
}

/* ---- the parent ---- */

static bool read_report(int fd, struct report *ret)
{
	return read(fd, ret, sizeof(*ret)) == sizeof(*ret);
}

/* The map wants pointers: those into this table. */
static void *as_value(char step)
{
	static const char steps[] = { STEP_PUT, STEP_REMOVING, STEP_REMOVED };
	const char *at = memchr(steps, step, sizeof(steps));
	void *value;

	assert_non_null(at);
	memcpy(&value, &at, sizeof(value));
	return value;
}

static void note(struct fixture *f, const struct report *report)
{
	f->put_count += report->step == STEP_PUT;
	(void)map_put(&f->steps, str_from(report->id), as_value(report->step));
}

static void run_child(struct fixture *f, unsigned steps)
{
	struct report report;
	int status;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		be_child(f->file, fds[1]);
	}
	close(fds[1]);
	while (steps-- > 0) {
		assert_true(read_report(fds[0], &report));
		note(f, &report);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read_report(fds[0], &report))
		note(f, &report);
	close(fds[0]);
}

static bool check_one(void *arg, struct str id, void *value)
{
	char text[UUID_TEXT_LEN + 1] = "";
	char step = *(const char *)value;
	struct session *s;

	memcpy(text, id.at, id.len);
	s = store_support_get(arg, text);
	if (step == STEP_PUT && !s)
		fail_msg("%s was acknowledged and is lost", text);
	if (step == STEP_REMOVED && s)
		fail_msg("%s was removed and is back", text);
	session_unref(s);
	return false;
}

static void test_nothing_acknowledged_is_lost(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct store *store = NULL;
		unsigned char random;
		struct err e = { 0 };

		random_bytes(&random, sizeof(random));
		run_child(f, round % 10 == 9 ? 0 : 1u + random % STEPS_MAX);
		if (open_store(f->file, &store, &e) < 0)
			fail_msg("round %d: %s", round, e.text);
		map_visit(&f->steps, check_one, store);
		store_free(store);
	}
	assert_true(f->put_count > ROUNDS);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/store-crash-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->file, sizeof(f->file), "%s/s.db", f->folder);
	map_init(&f->steps);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s%s", f->file, endings[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->folder);
	map_done(&f->steps);
	mem_free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_acknowledged_is_lost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
