/*
 * bench-policy: what a decision costs, and what finding a route costs, in nanoseconds.
 *
 * Prints a line "NAME<tab>NUMBER" for each; the number is the median of ROUNDS rounds. Everything is in memory and on one
 * thread; the routes are asked for in an order that no cache likes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "proxy/route_table.h"
#include "proxy/idp.h"

#define ROUNDS      9
#define ROUND_US    60000
#define BATCH       64
#define TEXT_MAX    (64u << 20)
#define GROUPS      12
#define STRIDE      7919 /* a prime: goes through all routes */
#define A_WEDNESDAY 1772625600

static NORETURN void give_up(const struct report *report)
{
	(void)fprintf(stderr, "bench-policy: %s\n", report->count ? report->problems[0].text : "");
	abort();
}

/* ---- measuring ---- */

/* The thread's own time: what else the machine does is not counted. */
static uint64_t cpu_us(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) < 0)
		abort();
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct task {
	void (*run)(const void *arg, size_t i);
	const void *arg;
	size_t count; /* 0: as long as it is measured */
};

static double nanoseconds_once(const struct task *task, size_t *i)
{
	uint64_t begin = cpu_us();
	uint64_t now = begin;
	size_t count = 0;

	while (now - begin < ROUND_US) {
		for (size_t k = 0; k < BATCH; k++)
			task->run(task->arg, (*i)++);
		count += BATCH;
		now = cpu_us();
	}
	return (double)(now - begin) * 1000.0 / (double)count;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static void measure(const char *name, const struct task *task)
{
	double rounds[ROUNDS];
	size_t i = 0;

	while (i < task->count)
		task->run(task->arg, i++);
	if (task->count)
		return;
	for (size_t k = 0; k < ROUNDS; k++)
		rounds[k] = nanoseconds_once(task, &i);
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
	(void)printf("%s\t%.1f\n", name, rounds[ROUNDS / 2]);
	(void)fflush(stdout);
}

/* ---- decisions ---- */

struct question {
	const struct policy *policy;
	const struct policy_input *input;
};

static void decide(const void *arg, size_t i)
{
	const struct question *question = arg;
	struct decision d;

	policy_eval(question->policy, question->input, &d);
	if (d.outcome != POLICY_ALLOW)
		abort();
}

static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	static const char *const claims[][2] = {
		{ "aud", "pomerium" },
		{ "department", "engineering" },
		{ "email", "alice@example.com" },
		{ "iss", "https://idp.example.com" },
		{ "name", "Alice Archer" },
		{ "sub", "u1" },
	};

	for (size_t i = 0; index == 0 && i < ARRAY_LEN(claims); i++) {
		if (!str_equal(name, str_from(claims[i][0])))
			continue;
		*ret = (struct policy_value){
			.kind = POLICY_VALUE_UNTYPED,
			.text = str_from(claims[i][1]),
		};
		return true;
	}
	return false;
}

static struct policy *compile(struct str text)
{
	struct report report = { 0 };
	struct yaml *yaml = NULL;

	if (yaml_parse(text, "bench.yaml", YAML_FORM_YAML, &yaml, &report) < 0)
		give_up(&report);
	const struct config_route route = { .access = { .policy = yaml_root(yaml) } };
	struct policy *policy = policy_compile(&route, POLICY_CERTIFICATE_REQUIRED, &report);
	if (!policy)
		give_up(&report);
	yaml_free(yaml);
	report_done(&report);
	return policy;
}

static void measure_policy(const char *name, struct str text, size_t times)
{
	const struct str groups[GROUPS] = {
		STR("g00"), STR("g01"), STR("g02"), STR("g03"), STR("g04"), STR("g05"),
		STR("g06"), STR("g07"), STR("g08"), STR("g09"), STR("g10"), STR("staff"),
	};
	struct policy_input input = {
		.has_session = true,
		.user_id = STR("u1"),
		.email = STR("alice@example.com"),
		.groups = { .items = groups, .count = GROUPS },
		.claim = find_claim,
		.method = STR("CONNECT"),
		.host = STR("db.corp.example.com:5432"),
		.now_unix = A_WEDNESDAY,
	};
	struct policy *policy = compile(text);

	if (!addr_from_ip(STR("10.1.2.3"), 40000, &input.ip))
		abort();
	measure(name, &(struct task){ decide, &(struct question){ policy, &input }, times });
	policy_free(policy);
}

/* All rules but the last fail late; every tenth is a deny. */
static void measure_rules(const char *name, size_t count, const char *more, size_t times)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (size_t i = 1; i <= count; i++)
		(void)buf_printf(
			&text,
			"- %s: {and: [{domain: example.com}, {claim/department: engineering}, "
			"%s {source_ip: 10.0.0.0/8}, {groups: %s%zu}]}\n",
			i % 10 == 5 ? "deny" : "allow", more, i < count ? "none" : "g0",
			i < count ? i : 7);
	measure_policy(name, buf_view(&text), times);
	buf_done(&text);
}

static void measure_long_list(const char *name, size_t count)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	(void)buf_append_str(&text, STR("allow: {or: [{email: {in: [alice@example.com"));
	for (size_t i = 1; i < count; i++)
		(void)buf_printf(&text, ", user%zu@example.com", i);
	(void)buf_append_str(&text, STR("]}}]}\n"));
	measure_policy(name, buf_view(&text), 0);
	buf_done(&text);
}

/* ---- routes ---- */

struct routes {
	struct route_table table;
	struct authority *names;
	size_t count;
};

static void find_route(const void *arg, size_t i)
{
	const struct routes *routes = arg;

	if (!route_table_find(&routes->table, &routes->names[i * STRIDE % routes->count]))
		abort();
}

static struct config *make_config(size_t count)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	(void)buf_append_str(&text, STR("routes:\n"));
	for (size_t i = 0; i < count; i++)
		(void)buf_printf(&text,
				 "- {from: 'tcp+https://service%zu.corp.example.com:5432', to: "
				 "'tcp://10.0.0.5:5432', allowed_groups: [g07]}\n",
				 i);
	if (config_parse(buf_view(&text), "bench.yaml", &config, &report, &e) < 0)
		give_up(&report);
	report_done(&report);
	buf_done(&text);
	return config;
}

static void measure_routes(const char *name, size_t count)
{
	struct config *config = make_config(count);
	struct routes routes = { .count = count };
	struct report report = { 0 };
	struct idp_table idps;

	idp_table_init(&idps, config);
	route_table_init(&routes.table, config, &idps, NULL, &report);
	if (report.error_count)
		give_up(&report);
	routes.names = mem_alloc_array(count, sizeof(*routes.names));
	for (size_t i = 0; i < count; i++)
		routes.names[i] = config->routes[i].names[0];
	measure(name, &(struct task){ find_route, &routes, 0 });
	mem_free(routes.names);
	route_table_done(&routes.table);
	idp_table_done(&idps);
	report_done(&report);
	config_free(config);
}

int main(int argc, char **argv)
{
	/* So many decisions and no clock: for who counts instructions. */
	if (argc == 3 && strcmp(argv[1], "--decisions") == 0) {
		measure_rules("", 10, "", strtoul(argv[2], NULL, 10));
		return 0;
	}
	measure_rules("1 rule", 1, "", 0);
	measure_rules("10 rules", 10, "", 0);
	measure_rules("100 rules", 100, "", 0);
	measure_rules("10 rules, each with a time of day", 10,
		      "{time_of_day: {timezone: Europe/Vienna, after: 08:00, before: 18:00}},", 0);
	measure_long_list("a list of 10,000 users", 10000);
	measure_routes("10 routes", 10);
	measure_routes("1,000 routes", 1000);
	measure_routes("10,000 routes", 10000);
	return 0;
}
