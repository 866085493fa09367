// SPDX-License-Identifier: GPL-2.0
/*
 * RAPL zones of known power on a machine that has none, registered with the kernel's own powercap core: its files,
 * modes and uevents, and counters that are functions of the time at which they are read.
 *
 * Two packages draw 40 and 50 W, their memory 5 W each, as Intel's do. With dies=2 it lists what Linux 6.10 shows of
 * AMD: each die of a package with the counter of the whole package, no limits, and a core zone of 1, 2, 3, 4 W.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/powercap.h>

/* 32 bits of 61 microjoules, as of most Intel packages. */
#define RANGE_UJ 262143328850ULL
#define PACKAGES 2
#define MAX_DIES 2

static int dies;
module_param(dies, int, 0444);
MODULE_PARM_DESC(dies, "dies of each package; 0 for packages without dies");

struct known_zone {
	struct powercap_zone zone;
	u64 watts;
};
static struct powercap_control_type *type;
static struct known_zone packages[PACKAGES * MAX_DIES], parts[PACKAGES * MAX_DIES];

static int get_range(struct powercap_zone *zone, u64 *value)
{
	*value = RANGE_UJ;
	return 0;
}

static int get_energy(struct powercap_zone *zone, u64 *value)
{
	struct known_zone *known = container_of(zone, struct known_zone, zone);
	u64 sum = ktime_to_us(ktime_get()) * known->watts;

	*value = sum - div64_u64(sum, RANGE_UJ) * RANGE_UJ;
	return 0;
}

static int get_enable(struct powercap_zone *zone, bool *on)
{
	*on = true;
	return 0;
}

static int release(struct powercap_zone *zone)
{
	return 0;
}

static const struct powercap_zone_ops zone_ops = {
	.get_max_energy_range_uj = get_range,
	.get_energy_uj = get_energy,
	.get_enable = get_enable,
	.release = release,
};

static int get_limit(struct powercap_zone *zone, int index, u64 *value)
{
	*value = 125000000;
	return 0;
}

static int get_window(struct powercap_zone *zone, int index, u64 *value)
{
	*value = 27983872;
	return 0;
}

static int set_nothing(struct powercap_zone *zone, int index, u64 value)
{
	return -EACCES;
}

static const char *get_limit_name(struct powercap_zone *zone, int index)
{
	return "long_term";
}

static const struct powercap_zone_constraint_ops limit_ops = {
	.get_power_limit_uw = get_limit,
	.set_power_limit_uw = set_nothing,
	.get_time_window_us = get_window,
	.set_time_window_us = set_nothing,
	.get_name = get_limit_name,
};

static int register_zone(struct known_zone *known, const char *name, struct powercap_zone *parent, u64 watts)
{
	int limits = dies ? 0 : 1;
	struct powercap_zone *made;

	known->watts = watts;
	made = powercap_register_zone(&known->zone, type, name, parent, &zone_ops, limits, limits ? &limit_ops : NULL);
	return PTR_ERR_OR_ZERO(made);
}

static void unregister_all(void)
{
	int index;

	for (index = PACKAGES * MAX_DIES - 1; index >= 0; index--) {
		if (parts[index].watts)
			powercap_unregister_zone(type, &parts[index].zone);
		if (packages[index].watts)
			powercap_unregister_zone(type, &packages[index].zone);
	}
	powercap_unregister_control_type(type);
}

static int __init powercap_zones_init(void)
{
	int count = dies ? dies : 1, index, error;
	char name[24];

	if (dies < 0 || dies > MAX_DIES)
		return -EINVAL;
	type = powercap_register_control_type(NULL, "intel-rapl", NULL);
	if (IS_ERR(type))
		return PTR_ERR(type);
	for (index = 0; index < PACKAGES * count; index++) {
		int package = index / count;

		if (dies)
			snprintf(name, sizeof(name), "package-%d-die-%d", package, index % count);
		else
			snprintf(name, sizeof(name), "package-%d", package);
		error = register_zone(&packages[index], name, NULL, 40 + 10 * package);
		if (!error)
			error = register_zone(&parts[index], dies ? "core" : "dram", &packages[index].zone,
					      dies ? index + 1 : 5);
		if (error) {
			unregister_all();
			return error;
		}
	}
	return 0;
}

module_init(powercap_zones_init);
module_exit(unregister_all);
MODULE_DESCRIPTION("powercap zones of known power");
MODULE_LICENSE("GPL");
