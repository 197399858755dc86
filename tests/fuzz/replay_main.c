/*
 * replay_main.c - runs a fuzz target over every file of the folders given
 *
 * Turns a corpus into a regression test without a fuzzing engine. A missing or empty folder
 * fails: a test that runs nothing must not pass. Each input lies in memory of exactly its size,
 * so that the address sanitizer sees a read behind it.
 */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#define PATH_LEN_MAX 4096
#define INPUT_MAX    (16u << 20)

static bool run_file(const char *path)
{
	struct buf contents = BUF_INIT(INPUT_MAX);
	struct err e;
	uint8_t *exact;

	if (file_read(path, &contents, &e)) {
		fprintf(stderr, "%s: %s\n", path, e.text);
		buf_done(&contents);
		return false;
	}
	exact = mem_resize(NULL, contents.len ? contents.len : 1, 1);
	if (contents.len > 0)
		memcpy(exact, contents.data, contents.len);
	/* Named before it runs: a crash says which input it was. */
	printf("%s\n", path);
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(exact, contents.len); /* always 0 */
	mem_free(exact);
	buf_done(&contents);
	return true;
}

static bool is_regular_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* How many files were run, or -1. */
static int run_entries(DIR *dir, const char *folder)
{
	int count = 0;

	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		char path[PATH_LEN_MAX];
		int len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

		if (len < 0 || (size_t)len >= sizeof(path) || !is_regular_file(path))
			continue;
		if (!run_file(path))
			return -1;
		count++;
	}
	return count;
}

static bool run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	int count;

	if (!dir) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return false;
	}
	count = run_entries(dir, folder);
	closedir(dir);
	if (count == 0)
		fprintf(stderr, "%s: no inputs in it\n", folder);
	return count > 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s <folder>...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (!run_folder(argv[i]))
			return 1;
	}
	return 0;
}
