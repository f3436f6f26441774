/* arrivals.c - see arrivals.h. */
#include "arrivals.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <unistd.h>

#include "fail.h"
#include "filter.h"
#include "port.h"

/* Nothing is ever read from the socket: its buffer is full soon, which keeps no packet from
 * being counted and costs the least. */
void arrivals_open(struct arrivals *arrivals)
{
    struct sock_filter own_that_come[] = {
        LOAD(PKTTYPE), IF(PACKET_OUTGOING, 3), LOAD(MARK), UNLESS(PORT_MARK, 1),
        GIVE(1), GIVE(0),
    };
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex("lo"),
    };
    int least = 0;

    arrivals->count = 0;
    arrivals->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (arrivals->fd < 0 ||
        setsockopt(arrivals->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) < 0 ||
        filter_attach(arrivals->fd, own_that_come,
                      sizeof own_that_come / sizeof *own_that_come) < 0 ||
        bind(arrivals->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail_errno("count what arrives");
}

uint64_t arrivals_count(struct arrivals *arrivals)
{
    struct tpacket_stats stats; /* since they were asked for last */
    socklen_t size = sizeof stats;

    if (getsockopt(arrivals->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
        fail_errno("PACKET_STATISTICS");
    return arrivals->count += stats.tp_packets;
}

void arrivals_close(struct arrivals *arrivals)
{
    close(arrivals->fd);
}
