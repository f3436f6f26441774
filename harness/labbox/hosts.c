/* hosts.c - see hosts.h. */
#include "hosts.h"

#include "link.h"
#include "loopback.h"
#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

static int namespaces[1 + LINK_HOSTS]; /* descriptors; with a link only */
static int last;                       /* number of a host */

static int own_namespace(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Makes host NUMBER, and comes back to the middle. */
static const char *make_host(int number)
{
    const char *failed;
    int routes;

    if (unshare(CLONE_NEWNET) < 0)
        return "make a network namespace";
    if ((namespaces[number] = own_namespace()) < 0)
        return "open /proc/self/ns/net";
    last = number;
    if ((failed = loopback_up()) != NULL)
        return failed;
    if ((failed = link_make(number, namespaces[0], &routes)) != NULL)
        return failed;
    if (hosts_enter(0) < 0)
        return "enter a network namespace";
    return link_up(number, routes);
}

const char *hosts_make(bool link)
{
    const char *failed = NULL;

    if (!link)
        return loopback_up();
    if ((namespaces[0] = own_namespace()) < 0)
        return "open /proc/self/ns/net";
    setting_small_tables();
    for (int number = 1; number <= LINK_HOSTS && failed == NULL; number++)
        failed = make_host(number);
    return failed;
}

int hosts_enter(int number)
{
    if (number < 0 || number > last) {
        errno = EINVAL;
        return -1;
    }
    return last == 0 ? 0 : setns(namespaces[number], CLONE_NEWNET);
}
