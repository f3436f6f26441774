#include "capture.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "passage.h"

enum {
    RING_MIB = 24,       /* 15,000 frames of 1,500 bytes: a burst of 10 MB and its ACKs */
    RING_BIG_MIB = 64,   /* 512 frames of 65,536 bytes */
    ORDINARY_FRAME = 9216,
    BATCH = 256,         /* packets between two looks at the signals */
    SLOT_ROUNDING = 16,  /* libpcap's slots can be some bytes too short */
    SLOT_HEAD = 256,     /* of a slot, before the packet, with its rounding; generously */
    FRAME_MAX = 65536,   /* no slot is for longer ones */
    FASTEST_NS = 1000,   /* no packet comes sooner after the one before */
    PATIENCE_MIN_NS = 200 * 1000,
    PATIENCE_MAX_NS = 8 * 1000 * 1000,
    HAND_OVER_MS = 2000  /* how long the kernel may take to finish a frame it has begun */
};

struct capture {
    pcap_t *pcap;
    uint32_t snaplen;
    long patience_ns;
    struct ifreq interface; /* its name */
    int index;              /* 0: no single interface ("any") */
    uint64_t taken; /* packets handed over */
    struct capture_counts before; /* counts from before the capture was ready */
    capture_packet_fn *each;
    void *context;
    char error[PCAP_ERRBUF_SIZE];
};

/* ---- Opening ---------------------------------------------------------------------------- */

/* True if the interface can hand over frames far above its MTU: segments that the hardware
 * (or nobody, on a loopback) would have to cut. */
static bool has_offload(int fd, const char *interface)
{
    static const uint32_t questions[] = { ETHTOOL_GTSO, ETHTOOL_GGSO, ETHTOOL_GGRO };

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct ethtool_value value = { .cmd = questions[i] };
        struct ifreq request = { .ifr_data = (char *)&value };

        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
        if (ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data)
            return true;
    }
    return false;
}

/* The kernel's ring has slots of equal size, each large enough for the largest frame. Where
 * frames can be 64 KiB, the ordinary ring would have only a few of them. */
static int default_ring_mib(const char *interface, int snaplen)
{
    struct ifreq request = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool big = false;

    if (fd >= 0 && snaplen > ORDINARY_FRAME) {
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
        if (ioctl(fd, SIOCGIFMTU, &request) == 0)
            big = request.ifr_mtu > ORDINARY_FRAME || has_offload(fd, interface);
        else
            big = true; /* "any" */
    }
    if (fd >= 0)
        close(fd);
    return big ? RING_BIG_MIB : RING_MIB;
}

/* On a loopback every packet passes twice, out and in, and libpcap drops the outgoing copy.
 * The kernel can do so earlier and save half of the ring. Kernels before 4.20 cannot. */
static void ignore_outgoing_copies(pcap_t *pcap, const char *interface)
{
    int yes = 1;

    if (strcmp(interface, "lo") == 0)
        (void)setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
}

__attribute__((format(printf, 3, 4)))
static enum capture_result fail(char *error, int size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, (size_t)size, format, arguments);
    va_end(arguments);
    return CAPTURE_FAILED;
}

static enum capture_result explain(char *error, int size, pcap_t *pcap, int result,
                                   const char *interface)
{
    char program[512] = "labcap";
    ssize_t length;

    switch (result) {
    case PCAP_ERROR_PERM_DENIED:
        length = readlink("/proc/self/exe", program, sizeof program - 1);
        if (length > 0)
            program[length] = '\0';
        return fail(error, size,
                    "%s: no permission to capture (CAP_NET_RAW is missing): run it inside "
                    "`unshare -Urn` or with `make run`, or allow it once with "
                    "`sudo setcap cap_net_raw+ep %s`",
                    interface, program);
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return fail(error, size, "%s: no such interface", interface);
    case PCAP_ERROR_IFACE_NOT_UP:
        return fail(error, size, "%s: the interface is down: `ip link set %s up` turns it on",
                    interface, interface);
    default:
        return fail(error, size, "%s: %s", interface,
                    result == PCAP_ERROR || !*pcap_geterr(pcap) ? pcap_geterr(pcap)
                                                                : pcap_statustostr(result));
    }
}

/* Half of the ring's slots may fill before somebody looks: the other half is for being late. */
static long find_patience_ns(int ring_mib, int snaplen)
{
    int slot = (snaplen < FRAME_MAX ? snaplen : FRAME_MAX) + SLOT_HEAD;
    int64_t ns = ((int64_t)ring_mib << 20) / slot / 2 * FASTEST_NS;

    if (ns < PATIENCE_MIN_NS)
        return 0;
    return ns < PATIENCE_MAX_NS ? (long)ns : PATIENCE_MAX_NS;
}

/* Immediate mode: each packet is in its slot as soon as the kernel has seen it. In the other
 * mode the kernel gathers blocks and keeps the last one back until a timeout. */
static enum capture_result activate(struct capture *c, const struct capture_options *options,
                                    char *error, int size)
{
    pcap_t *pcap = c->pcap;
    int mib = options->ring_mib;
    int result;

    if (mib == 0)
        mib = default_ring_mib(options->interface, options->snaplen);
    c->patience_ns = find_patience_ns(mib, options->snaplen);
    pcap_set_snaplen(pcap, options->snaplen + SLOT_ROUNDING);
    pcap_set_immediate_mode(pcap, 1);
    pcap_set_buffer_size(pcap, mib << 20);
    if (pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO) != 0)
        return fail(error, size, "%s: no nanosecond stamps here", options->interface);
    result = pcap_activate(pcap);
    if (result < 0)
        return explain(error, size, pcap, result, options->interface);
    ignore_outgoing_copies(pcap, options->interface);
    return CAPTURE_OK;
}

/* The mark of a wire that loses packets (passage.h) is recorded whatever the filter says: it
 * tells what kind of trace this is. Where there are no Ethernet types there is no such mark. */
static void let_mark_pass(pcap_t *pcap, const char *filter, struct bpf_program *program)
{
    struct bpf_program wider;
    char *text;

    if (asprintf(&text, "(%s) or ether proto %d", filter, PASSAGE_ETHERTYPE) < 0)
        return;
    if (pcap_compile(pcap, &wider, text, 1, PCAP_NETMASK_UNKNOWN) == 0) {
        pcap_freecode(program);
        *program = wider;
    }
    free(text);
}

static enum capture_result set_filter(pcap_t *pcap, const char *filter, char *error, int size)
{
    struct bpf_program program;
    enum capture_result result = CAPTURE_OK;

    if (!filter || !*filter)
        return CAPTURE_OK;
    if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        fail(error, size, "filter '%s': %s", filter, pcap_geterr(pcap));
        return CAPTURE_BAD_FILTER;
    }
    let_mark_pass(pcap, filter, &program);
    if (pcap_setfilter(pcap, &program) < 0)
        result = fail(error, size, "filter '%s': %s", filter, pcap_geterr(pcap));
    pcap_freecode(&program);
    return result;
}

enum capture_result capture_open(struct capture **capture, const struct capture_options *options,
                                 char *error, int size)
{
    char reason[PCAP_ERRBUF_SIZE] = "";
    struct capture *c = calloc(1, sizeof *c);
    enum capture_result result;

    *capture = NULL;
    if (!c)
        return fail(error, size, "out of memory");
    c->pcap = pcap_create(options->interface, reason);
    if (!c->pcap) {
        free(c);
        return fail(error, size, "%s: %s", options->interface, reason);
    }
    result = activate(c, options, error, size);
    if (result == CAPTURE_OK)
        result = set_filter(c->pcap, options->filter, error, size);
    if (result == CAPTURE_OK && pcap_setnonblock(c->pcap, 1, reason) < 0)
        result = fail(error, size, "%s: %s", options->interface, reason);
    if (result != CAPTURE_OK) {
        capture_close(c);
        return result;
    }
    c->snaplen = (uint32_t)options->snaplen;
    snprintf(c->interface.ifr_name, sizeof c->interface.ifr_name, "%s", options->interface);
    c->index = (int)if_nametoindex(options->interface);
    capture_count(c, &c->before);
    *capture = c;
    return CAPTURE_OK;
}

void capture_close(struct capture *capture)
{
    pcap_close(capture->pcap);
    free(capture);
}

int capture_link_type(const struct capture *capture)
{
    return pcap_datalink(capture->pcap);
}

int capture_fd(const struct capture *capture)
{
    return pcap_get_selectable_fd(capture->pcap);
}

const char *capture_error(const struct capture *capture)
{
    return capture->error;
}

long capture_patience_ns(const struct capture *capture)
{
    return capture->patience_ns;
}

/* ---- Taking packets --------------------------------------------------------------------- */

static void on_packet(unsigned char *user, const struct pcap_pkthdr *header,
                      const unsigned char *bytes)
{
    struct capture *c = (struct capture *)user;
    /* With nanosecond precision tv_usec holds nanoseconds. */
    uint64_t time_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;

    uint32_t captured = header->caplen < c->snaplen ? header->caplen : c->snaplen;

    c->taken++;
    if (!c->each(c->context, time_ns, captured, header->len, bytes))
        pcap_breakloop(c->pcap);
}

/* libpcap keeps to itself that an interface went down, and misses that it was removed when it
 * looks between the two. */
static bool interface_lives(const struct capture *c)
{
    struct ifreq request = c->interface;
    int fd = pcap_fileno(c->pcap);

    if (c->index == 0)
        return true;
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0 || request.ifr_ifindex != c->index)
        return false;
    request = c->interface;
    return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP);
}

int capture_take(struct capture *capture, capture_packet_fn *each, void *context)
{
    int taken;

    capture->each = each;
    capture->context = context;
    taken = pcap_dispatch(capture->pcap, BATCH, on_packet, (unsigned char *)capture);
    if (taken == 0 && !interface_lives(capture)) {
        taken = -1;
        snprintf(capture->error, sizeof capture->error, "the interface went down or away");
    } else if (taken == PCAP_ERROR) {
        snprintf(capture->error, sizeof capture->error, "%s", pcap_geterr(capture->pcap));
    }
    return taken < 0 ? -1 : taken;
}

static bool statistics(struct capture *capture, struct pcap_stat *stat)
{
    if (pcap_stats(capture->pcap, stat) == 0)
        return true;
    snprintf(capture->error, sizeof capture->error, "%s", pcap_geterr(capture->pcap));
    return false;
}

bool capture_count(struct capture *capture, struct capture_counts *counts)
{
    struct pcap_stat stat;

    *counts = (struct capture_counts){ 0 };
    if (!statistics(capture, &stat))
        return false;
    counts->received = stat.ps_recv - capture->before.received;
    counts->dropped = (uint64_t)stat.ps_drop + stat.ps_ifdrop - capture->before.dropped;
    return true;
}

/* True if a packet stands in the ring's newest slot, or the capture has failed. */
static bool packets_wait(const struct capture *capture)
{
    struct pollfd poll_fd = { .fd = capture_fd(capture), .events = POLLIN };

    return poll(&poll_fd, 1, 0) > 0;
}

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Two ways to be done: the ring is empty; or as many packets were handed over as the kernel had
 * accepted at the start, which is the bound when traffic goes on for ever.
 *
 * The ring can look empty and not be: slots are given out in order but filled by several
 * processors, and a slot that is still being filled hides the later ones that are not. The
 * kernel's poll() looks at the newest slot, so it tells; the wait is for the rest of one copy. */
int capture_drain(struct capture *capture, capture_packet_fn *each, void *context)
{
    struct pcap_stat stat;
    int64_t progress = milliseconds();
    int taken;

    if (!statistics(capture, &stat))
        return -1;
    for (;;) {
        taken = capture_take(capture, each, context);
        if (taken < 0)
            return -1;
        if (capture->taken >= stat.ps_recv - stat.ps_drop)
            return 0;
        if (taken > 0) {
            progress = milliseconds();
        } else if (!packets_wait(capture)) {
            return 0;
        } else if (milliseconds() - progress > HAND_OVER_MS) {
            snprintf(capture->error, sizeof capture->error,
                     "the kernel did not hand over the last packets");
            return -1;
        } else {
            sched_yield();
        }
    }
}
