#include "io/file_set.h"

#include <assert.h>
#include <sys/stat.h>
#include <time.h>

#include "base/map.h"
#include "base/mem.h"

enum presence {
	FILE_ABSENT, /* or may not be looked at */
	FILE_PRESENT,
	FILE_IN_DOUBT, /* like nothing, not even itself */
};

struct fingerprint {
	enum presence presence;
	dev_t device;
	ino_t inode;
	off_t size;
	int64_t modified_ns;
	int64_t changed_ns; /* also by chmod, chown and rename */
};

struct file_set {
	size_t count;
	struct entry {
		char *path;
		struct fingerprint was;
	} entries[];
};

static int64_t to_ns(struct timespec at)
{
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* Not that of clock.h: file times are of this one, which moves in steps. */
int64_t file_set_moment(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now); /* cannot fail for a clock that exists */
	return to_ns(now);
}

static struct fingerprint look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct fingerprint){ .presence = FILE_ABSENT };
	return (struct fingerprint){
		.presence = FILE_PRESENT,
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = st.st_size,
		.modified_ns = to_ns(st.st_mtim),
		.changed_ns = to_ns(st.st_ctim),
	};
}

static bool is_alike(const struct fingerprint *a, const struct fingerprint *b)
{
	if (a->presence == FILE_IN_DOUBT || b->presence == FILE_IN_DOUBT)
		return false;
	return a->presence == b->presence && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->modified_ns == b->modified_ns &&
	       a->changed_ns == b->changed_ns;
}

static struct file_set *allocate(size_t count)
{
	struct file_set *set = mem_alloc(sizeof(*set) + count * sizeof(set->entries[0]));

	set->count = count;
	return set;
}

/* An index over a set; its values are entries. */
static void index_entries(struct map *index, const struct file_set *set)
{
	map_init(index);
	for (size_t i = 0; set && i < set->count; i++)
		(void)map_put(index, str_from(set->entries[i].path),
			      (void *)(uintptr_t)&set->entries[i]); /* twice is the same */
}

struct file_set *file_set_new(char *const *paths, size_t count, const struct file_set *earlier,
			      int64_t moment)
{
	struct file_set *set = allocate(count);
	struct map index;

	index_entries(&index, earlier);
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = &set->entries[i];
		const struct entry *before = map_get(&index, str_from(paths[i]));

		entry->path = mem_copy_string(paths[i]);
		entry->was = before ? before->was : look_at(paths[i]);
		if (!before && entry->was.changed_ns >= moment)
			entry->was.presence = FILE_IN_DOUBT;
	}
	map_done(&index);
	return set;
}

struct file_set *file_set_look(const struct file_set *set)
{
	struct file_set *now = file_set_copy(set);

	for (size_t i = 0; i < now->count; i++)
		now->entries[i].was = look_at(now->entries[i].path);
	return now;
}

struct file_set *file_set_copy(const struct file_set *set)
{
	struct file_set *copy = allocate(set->count);

	for (size_t i = 0; i < set->count; i++) {
		copy->entries[i].path = mem_copy_string(set->entries[i].path);
		copy->entries[i].was = set->entries[i].was;
	}
	return copy;
}

void file_set_free(struct file_set *set)
{
	for (size_t i = 0; set && i < set->count; i++)
		mem_free(set->entries[i].path);
	mem_free(set);
}

size_t file_set_count(const struct file_set *set)
{
	return set->count;
}

bool file_set_is_equal(const struct file_set *a, const struct file_set *b)
{
	assert(a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		if (!is_alike(&a->entries[i].was, &b->entries[i].was))
			return false;
	return true;
}
