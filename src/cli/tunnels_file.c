/*
 * tunnels_file.c - read with the reader of the gateway's configuration, so that YAML means one thing
 */

#include "cli/tunnels_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/yaml.h"

static const struct {
	const char *key;
	size_t offset;
	bool is_required;
} keys[] = {
	{ "name", offsetof(struct tunnels_entry, name), true },
	{ "destination", offsetof(struct tunnels_entry, destination), true },
	{ "listen", offsetof(struct tunnels_entry, listen), false },
};

static int mistake(struct position at, const char *sentence, struct err *e)
{
	char text[POSITION_TEXT_MAX];

	position_format(at, text);
	return err_set(e, ERR_CONFIG, "%s: %s", text, sentence);
}

static int read_pair(const struct yaml_pair *pair, struct arena *arena, struct tunnels_entry *entry,
		     struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!str_equal(pair->key, str_from(keys[i].key)))
			continue;
		if (pair->value->kind != YAML_SCALAR || str_is_empty(pair->value->text) ||
		    !str_is_printable_ascii(pair->value->text))
			return mistake(pair->value->at, "this must be a text", e);
		*(const char **)((char *)entry +
				 keys[i].offset) = arena_copy_string(arena, pair->value->text);
		return 0;
	}
	return mistake(pair->at, "a tunnel has name, destination and listen only", e);
}

static int read_entry(const struct yaml_node *node, struct tunnels_file *file, struct err *e)
{
	struct tunnels_entry entry = { 0 };

	if (node->kind != YAML_MAPPING)
		return mistake(node->at, "a tunnel must be a mapping with name and destination", e);
	for (size_t i = 0; i < node->count; i++)
		if (read_pair(&node->pairs[i], &file->arena, &entry, e) < 0)
			return -1;
	if (!entry.name || !entry.destination)
		return mistake(node->at, "a tunnel needs a name and a destination", e);
	if (tunnels_file_find(file, entry.name))
		return mistake(node->at, "there is another tunnel of this name", e);
	file->entries[file->count++] = entry;
	return 0;
}

static int read_root(const struct yaml_node *root, struct tunnels_file *file, struct err *e)
{
	if (root && root->kind == YAML_MAPPING && root->count == 1 &&
	    str_equal(root->pairs[0].key, STR("tunnels")))
		root = root->pairs[0].value;
	if (!root || root->kind == YAML_NULL)
		return 0;
	if (root->kind != YAML_SEQUENCE)
		return mistake(root->at, "this must be a list of tunnels", e);
	if (root->count > TUNNELS_MAX)
		return mistake(root->at, "there are too many tunnels", e);
	file->entries = arena_alloc_array(&file->arena, root->count, sizeof(*file->entries));
	for (size_t i = 0; i < root->count; i++)
		if (read_entry(root->items[i], file, e) < 0)
			return -1;
	return 0;
}

int tunnels_file_parse(struct str text, const char *path, struct tunnels_file *ret, struct err *e)
{
	struct tunnels_file file = { 0 };
	struct report report = { 0 };
	struct yaml *yaml = NULL;
	int result = -1;

	(void)yaml_parse(text, path, YAML_FORM_YAML, &yaml, &report); /* the report knows */
	if (report.count > 0)
		(void)err_set(e, ERR_CONFIG, "%s", report.problems[0].text);
	else
		result = read_root(yaml_root(yaml), &file, e);
	yaml_free(yaml);
	report_done(&report);
	if (result < 0)
		tunnels_file_done(&file);
	else
		*ret = file;
	return result;
}

int tunnels_file_read(const char *path, struct tunnels_file *ret, bool *ret_is_there, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TUNNELS_FILE_MAX);

	*ret_is_there = !path || access(path, F_OK) == 0 || errno != ENOENT;
	if (!path || !*ret_is_there) {
		*ret_is_there = false;
		return 0;
	}
	if (file_read(path, &text, e) < 0)
		return -1;
	return tunnels_file_parse(buf_view(&text), path, ret, e);
}

void tunnels_file_done(struct tunnels_file *file)
{
	arena_done(&file->arena);
	*file = (struct tunnels_file){ 0 };
}

char *tunnels_file_path(const char *xdg_config_home, const char *home)
{
	struct buf path = BUF_INIT(4096);

	if (xdg_config_home && xdg_config_home[0] == '/')
		buf_printf(&path, "%s", xdg_config_home);
	else if (home && home[0] == '/')
		buf_printf(&path, "%s/.config", home);
	else
		return NULL;
	buf_printf(&path, "/pomerium-cli/tunnels.yaml");
	if (!path.is_overflown)
		return buf_take_string(&path);
	buf_done(&path);
	return NULL;
}

const struct tunnels_entry *tunnels_file_find(const struct tunnels_file *file, const char *name)
{
	for (size_t i = 0; i < file->count; i++)
		if (strcmp(file->entries[i].name, name) == 0)
			return &file->entries[i];
	return NULL;
}
