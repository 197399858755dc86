/*
 * files_test.c - files that are none, too large, or in odd forms: one sentence each; and which files were asked for
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "config/config_testing.h"

/* Reads that file of the folder and compares; @ in what is expected stands for its path. */
static struct config *read_file_of(const struct folder *folder, const char *name,
				   const char *expected)
{
	struct report report = { 0 };
	struct buf full = BUF_INIT(10000);
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	for (; *expected; expected++)
		if (*expected == '@')
			(void)buf_append_str(&full, str_from(path));
		else
			(void)buf_append_char(&full, *expected);
	struct config *config = config_read(&(struct config_source){ .path = path }, &report);
	char *text = report_text(&report);
	char *wanted = buf_take_string(&full);

	assert_string_equal(text, wanted);
	assert_int_equal(report.file_count, 1);
	assert_string_equal(report.files[0], path);
	mem_free(text);
	mem_free(wanted);
	report_done(&report);
	return config;
}

static void make_file(const struct folder *folder, const char *name, off_t size)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0); /* without blocks on the disk */
	assert_int_equal(close(fd), 0);
}

static void test_what_is_no_file(void **state)
{
	const struct folder *folder = *state;
	char path[128];

	assert_null(read_file_of(folder, "missing.yaml",
				 "E cannot open @: No such file or directory\n"));
	(void)snprintf(path, sizeof(path), "%s/folder.yaml", folder->path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(read_file_of(folder, "folder.yaml", "E cannot read @: Is a directory\n"));
	(void)snprintf(path, sizeof(path), "%s/loop.yaml", folder->path);
	assert_int_equal(symlink("loop.yaml", path), 0);
	assert_null(read_file_of(folder, "loop.yaml",
				 "E cannot open @: Too many levels of symbolic links\n"));
	make_file(folder, "large.yaml", 100 << 20);
	assert_null(read_file_of(folder, "large.yaml", "E @ is larger than 16777216 bytes\n"));
	make_file(folder, "empty.yaml", 0);
	config_free(read_file_of(folder, "empty.yaml", ""));
	make_file(folder, "zeros.yaml", 100);
	assert_null(read_file_of(folder, "zeros.yaml",
				 "E @:1:1: control characters are not allowed\n"));
}

static void test_forms_of_text(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{ "crlf.yaml",
		  "workers: 3\r\nroutes:\r\n  - from: tcp+https://a:1\r\n    to: tcp://b\r\n" },
		{ "bom.yaml",
		  "\xef\xbb\xbfworkers: 3\nroutes: [{from: 'tcp+https://a:1', to: 'tcp://b'}]\n" },
		{ "bom.json",
		  "\xef\xbb\xbf{\"workers\": 3, \"routes\": [{\"from\": \"tcp+https://a:1\", "
		  "\"to\": \"tcp://b\"}]}" },
		{ "no-end.yml", "workers: 3\nroutes: [{from: 'tcp+https://a:1', to: 'tcp://b'}]" },
		{ "crlf.json",
		  "{\r\n\"workers\": 3,\r\n\"routes\": [{\"from\": \"tcp+https://a:1\", "
		  "\"to\": \"tcp://b\"}]\r\n}\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		folder_write(*state, cases[i].name, cases[i].text);
		struct config *config = read_file_of(*state, cases[i].name, "");

		assert_int_equal(config->listen.workers, 3);
		assert_int_equal(config->route_count, 1);
		assert_str(config->routes[0].from, "tcp+https://a:1");
		config_free(config);
	}
}

static void test_bad_text(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *report;
	} cases[] = {
		{ "twice.json", "{\"workers\": 1,\n \"Workers\": 2}",
		  "E @:2:2: the key Workers is already there in line 1\n" },
		{ "latin.yaml", "workers: 1\n# gr\xfc\xdf\n", "E @:2:5: this is not UTF-8 text\n" },
		{ "cr.yaml", "workers: 1\rlog_level: loud\r",
		  "E @:2:12: log_level: \"loud\" is not a log level (trace, debug, info, warn, error, "
		  "fatal, off)\n" },
		{ "yaml.json", "workers: 1\n", "E @:1:1: Invalid JSON plain scalar\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		folder_write(*state, cases[i].name, cases[i].text);
		config_free(read_file_of(*state, cases[i].name, cases[i].report));
	}
}

/* Each once, in the order they are asked for, whether they are there or not. */
static void test_files_that_were_asked_for(void **state)
{
	static const char *const expected[] = { "c.yaml", "users", "secret", "a.pem", "b.pem",
						"ca",     "crl",   "m.pem",  "route" };
	const struct folder *folder = *state;
	struct report report = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/c.yaml", folder->path);
	struct buf text = BUF_INIT(10000);
	(void)buf_printf(
		&text,
		"local_users_file: %1$s/users\n"
		"shared_secret_file: %1$s/secret\n"
		"cookie_secret_file: %1$s/secret\n"
		"certificates: [{cert: %1$s/a.pem, key: %1$s/b.pem}]\n"
		"downstream_mtls: {ca_file: %1$s/ca, crl_file: %1$s/crl}\n"
		"metrics_certificate_file: %1$s/m.pem\n"
		"metrics_certificate_key_file: %1$s/m.pem\n"
		"policy: [{from: 'tcp+https://a', to: 'tcp://b', tls_custom_ca_file: %1$s/ca}]\n"
		"routes: [{from: 'tcp+https://b', to: 'tcp://b', "
		"tls_downstream_client_ca_file: %1$s/route}]\n%2$c",
		folder->path, 0);
	folder_write(folder, "c.yaml", (const char *)text.data);
	config_free(config_read(&(struct config_source){ .path = path }, &report));
	assert_int_equal(report.file_count, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder->path, expected[i]);
		assert_string_equal(report.files[i], path);
	}
	assert_int_equal(report.error_count, 11);
	report_done(&report);
	buf_done(&text);
}

static void test_many_files(void **state)
{
	struct report report = { 0 };
	char path[32];

	for (int turn = 0; turn < 2; turn++)
		for (int i = 0; i < REPORT_FILES_MAX + 10; i++) {
			(void)snprintf(path, sizeof(path), "/f/%d", i);
			report_add_file(&report, path);
		}
	assert_int_equal(report.file_count, REPORT_FILES_MAX);
	assert_string_equal(report.files[REPORT_FILES_MAX - 1], "/f/9999");
	report_done(&report);
	assert_int_equal(report.file_count, 0);
	report_done(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_no_file, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_forms_of_text, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_bad_text, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_files_that_were_asked_for, folder_setup,
						folder_teardown),
		cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
