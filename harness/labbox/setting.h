/* setting.h - settings of the caller's network namespace (/proc/sys/net). */
#ifndef SETTING_H
#define SETTING_H

/*
 * Writes VALUE into NAME, a path below /proc/sys/net. 0, also where it cannot be opened, as where
 * /proc/sys is read-only or the kernel does not know it; -1 with errno where it refuses VALUE.
 */
int setting_write(const char *name, const char *value);

/*
 * Gives each network namespace that is made from this one a table of TCP connections of its own,
 * of a size for one test: from Linux 6.1 on. Else all share one, and who asks for a host's
 * connections waits until the kernel has gone through the whole machine's.
 */
void setting_small_tables(void);

#endif
