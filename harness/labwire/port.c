/* port.c - see port.h. */
#include "port.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fail.h"
#include "filter.h"

enum {
    BLOCK_BYTES = 64 << 10,
    SLOT_HEAD = 128        /* at least what the kernel puts in front of a frame */
};

static _Noreturn void fail_port(const struct port *port, const char *what)
{
    char text[128];

    snprintf(text, sizeof text, "%s: %s", port->name, what);
    fail_errno(text);
}

/* ---- Opening ---------------------------------------------------------------------------- */

/* A recorder on the same interface must see each packet before the relay does: else what arrives
 * could stand in the trace before it was sent. The kernel hands a packet to the sockets of all
 * protocols first, in which recorders are, then to those of its own protocol. On a link the
 * recorder is on all interfaces, and those come first, too. */
static uint16_t protocol_of(enum port_kind kind)
{
    return kind == PORT_LOOPBACK_IPV4 ? ETH_P_IP : kind == PORT_LOOPBACK_IPV6 ? ETH_P_IPV6
                                                                              : ETH_P_ALL;
}

static void set_option(const struct port *port, int level, int option, int value,
                       const char *name)
{
    if (setsockopt(port->fd, level, option, &value, sizeof value) < 0)
        fail_port(port, name);
}

/* Nothing that leaves through the interface, and nothing that this relay sent. */
static void set_filter(const struct port *port)
{
    struct sock_filter filter[] = {
        LOAD(PKTTYPE), IF(PACKET_OUTGOING, 2), LOAD(MARK), UNLESS(PORT_MARK, 1),
        GIVE(0), GIVE(UINT32_MAX),
    };

    if (filter_attach(port->fd, filter, sizeof filter / sizeof *filter) < 0)
        fail_port(port, "SO_ATTACH_FILTER");
}

static void bind_port(const struct port *port)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(protocol_of(port->kind)),
        .sll_ifindex = (int)if_nametoindex(port->name),
    };

    if (address.sll_ifindex == 0 || bind(port->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail_port(port, "bind");
}

static uint32_t read_interface(struct port *port)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", port->name);
    if (ioctl(port->fd, SIOCGIFHWADDR, &request) < 0)
        fail_port(port, "SIOCGIFHWADDR");
    memcpy(port->address, request.ifr_hwaddr.sa_data, sizeof port->address);
    if (ioctl(port->fd, SIOCGIFFLAGS, &request) < 0)
        fail_port(port, "SIOCGIFFLAGS");
    if (!(request.ifr_flags & IFF_UP)) {
        errno = ENETDOWN;
        fail_port(port, "not up");
    }
    if (ioctl(port->fd, SIOCGIFMTU, &request) < 0)
        fail_port(port, "SIOCGIFMTU");
    return (uint32_t)request.ifr_mtu;
}

static void make_ring(struct port *port, uint32_t mtu, size_t bytes)
{
    struct tpacket_req request;
    uint32_t slot = SLOT_HEAD + ETHERNET_HEADER + mtu;

    port->frame_size = (slot + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT * TPACKET_ALIGNMENT;
    for (port->block_size = BLOCK_BYTES; port->block_size < port->frame_size;)
        port->block_size *= 2;
    port->frames_in_block = port->block_size / port->frame_size;
    port->ring_bytes = bytes / port->block_size * port->block_size;
    port->frames = (uint32_t)(port->ring_bytes / port->block_size) * port->frames_in_block;
    request = (struct tpacket_req){
        .tp_block_size = port->block_size,
        .tp_frame_size = port->frame_size,
        .tp_block_nr = (uint32_t)(port->ring_bytes / port->block_size),
        .tp_frame_nr = port->frames,
    };
    set_option(port, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION");
    set_option(port, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
    if (setsockopt(port->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        fail_port(port, "PACKET_RX_RING");
    port->ring = mmap(NULL, port->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, port->fd, 0);
    if (port->ring == MAP_FAILED)
        fail_port(port, "map the ring");
}

static uint64_t dropped_on_sending(const struct port *port);

void port_open(struct port *port, enum port_kind kind, const char *name, size_t ring_bytes)
{
    memset(port, 0, sizeof *port);
    port->name = name;
    port->kind = kind;
    port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* 0: deaf until it is bound */
    if (port->fd < 0)
        fail_port(port, errno == EPERM ? "no CAP_NET_RAW in this network: `unshare -Urn` gives it"
                                       : "packet socket");
    set_option(port, SOL_SOCKET, SO_MARK, PORT_MARK, "SO_MARK");
    make_ring(port, read_interface(port), ring_bytes);
    set_filter(port);
    bind_port(port);
    port_begin(port);
}

/* A ring that is still mapped would keep the socket open. */
void port_close(struct port *port)
{
    munmap(port->ring, port->ring_bytes);
    close(port->fd);
}

/* ---- Taking and sending ----------------------------------------------------------------- */

static struct tpacket2_hdr *slot(const struct port *port)
{
    uint8_t *block = port->ring + (size_t)(port->next / port->frames_in_block) * port->block_size;

    return (void *)(block + (size_t)(port->next % port->frames_in_block) * port->frame_size);
}

static bool slot_filled(const struct port *port)
{
    return __atomic_load_n(&slot(port)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

void port_release(struct port *port)
{
    __atomic_store_n(&slot(port)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    port->next = (port->next + 1) % port->frames;
}

/* In front of the frame stands what the kernel tells of it besides its bytes. */
static void read_frame(const struct port *port, const struct tpacket2_hdr *head,
                       struct frame *frame)
{
    struct virtio_net_hdr offloads;

    frame->bytes = (uint8_t *)head + head->tp_mac;
    frame->length = head->tp_snaplen;
    memcpy(&offloads, frame->bytes - sizeof offloads, sizeof offloads);
    if (offloads.gso_type != VIRTIO_NET_HDR_GSO_NONE || head->tp_snaplen < head->tp_len) {
        errno = EMSGSIZE;
        fail_port(port, "a frame larger than the MTU: turn the interface's offloads off "
                        "(ip link set dev NAME gso_max_segs 1)");
    }
    frame->checksum_open = offloads.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    frame->checksum_start = offloads.csum_start;
    frame->checksum_offset = offloads.csum_offset;
}

bool port_take(struct port *port, struct frame *frame)
{
    if (!slot_filled(port))
        return false;
    read_frame(port, slot(port), frame);
    return true;
}

void port_begin(struct port *port)
{
    while (slot_filled(port))
        port_release(port);
    port->sent = port->lost = 0;
    if (port->kind == PORT_LINK)
        port->dropped_before = dropped_on_sending(port);
}

void port_send(struct port *port, const uint8_t *bytes, size_t length)
{
    struct virtio_net_hdr nothing_open = {0};
    struct iovec parts[2] = {{.iov_base = &nothing_open, .iov_len = sizeof nothing_open},
                             {.iov_base = (void *)bytes, .iov_len = length}};
    ssize_t n;

    do
        n = writev(port->fd, parts, 2);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        fail_port(port, "send");
    port->sent++;
}

/* ---- What was lost ---------------------------------------------------------------------- */

/* Of what was sent through a link's interface: how much the other end had no room for. It
 * stands in /proc/net/dev, the fourth number behind the eight of what was received. */
static uint64_t dropped_on_sending(const struct port *port)
{
    char line[512], name[IF_NAMESIZE + 1];
    unsigned long long dropped = 0;
    bool found = false;
    FILE *table = fopen("/proc/net/dev", "re");

    if (table == NULL)
        fail_errno("/proc/net/dev");
    while (!found && fgets(line, sizeof line, table) != NULL)
        found = sscanf(line, " %16[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", name,
                       &dropped) == 2 && strcmp(name, port->name) == 0;
    fclose(table);
    if (!found) {
        errno = ENODEV;
        fail_port(port, "/proc/net/dev");
    }
    return dropped;
}

uint64_t port_lost(struct port *port)
{
    struct tpacket_stats stats; /* since they were asked for last */
    socklen_t size = sizeof stats;

    if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
        fail_port(port, "PACKET_STATISTICS");
    port->lost += stats.tp_drops;
    if (port->kind != PORT_LINK)
        return port->lost;
    return port->lost + dropped_on_sending(port) - port->dropped_before;
}
