/*
 * identity.c - the facts, their count of references and their strings live in one object
 */

#include "identity/identity.h"

#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/ref.h"

struct identity_object {
	struct identity facts;
	struct ref ref;
	struct arena arena;
};

static struct identity_object *object_of(struct identity *identity)
{
	return container_of(identity, struct identity_object, facts);
}

static const struct str *copy_groups(struct arena *arena, const struct str *groups, size_t count)
{
	struct str *copies = arena_alloc_array(arena, count, sizeof(*copies));

	for (size_t i = 0; i < count; i++)
		copies[i] = arena_copy(arena, groups[i]);
	return copies;
}

struct identity *identity_new(const struct identity *facts)
{
	struct identity_object *object = mem_alloc(sizeof(*object));

	assert(facts->group_count <= IDENTITY_GROUPS_MAX);
	object->ref = REF_INIT;
	object->facts = (struct identity){
		.user_id = arena_copy(&object->arena, facts->user_id),
		.email = arena_copy(&object->arena, facts->email),
		.name = arena_copy(&object->arena, facts->name),
		.groups = copy_groups(&object->arena, facts->groups, facts->group_count),
		.group_count = facts->group_count,
	};
	claims_copy(&facts->claims, &object->arena, &object->facts.claims);
	return &object->facts;
}

struct identity *identity_ref(struct identity *identity)
{
	ref_get(&object_of(identity)->ref);
	return identity;
}

void identity_unref(struct identity *identity)
{
	struct identity_object *object;

	if (!identity)
		return;
	object = object_of(identity);
	if (!ref_put(&object->ref))
		return;
	arena_done(&object->arena);
	mem_free(object);
}
