/* loopback.c - see loopback.h. */
#include "loopback.h"

#include "interface.h"
#include "setting.h"

#include <net/if.h>
#include <stddef.h>

static const struct {
    const char *name; /* below /proc/sys/net */
    const char *value;
} settings[] = {
    /* The congestion control every kernel has. */
    {"ipv4/tcp_congestion_control", "reno"},
    /* Every datagram to a closed port is answered, as on a loopback, not six in a row. */
    {"ipv4/icmp_ratelimit", "0"},
    {"ipv6/icmp/ratelimit", "0"},
    /* Connections in TIME-WAIT: else half as many as a small table has entries (setting.h). */
    {"ipv4/tcp_max_tw_buckets", "4096"},
};

const char *loopback_up(void)
{
    const char *failed = interface_up("lo", IFF_RUNNING);

    if (failed != NULL)
        return failed;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (setting_write(settings[i].name, settings[i].value) < 0)
            return settings[i].name;
    return NULL;
}
