/* interface.c - see interface.h. */
#include "interface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_MTU = 1500, MAX_FEATURES = 256 };

/* How many features the interface knows; their names (ethtool -k) go to NAMES. */
static uint32_t feature_names(int sock, struct ifreq *request, struct ethtool_gstrings *names)
{
    struct {
        struct ethtool_sset_info info;
        uint32_t count;
    } set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};

    request->ifr_data = (char *)&set;
    if (ioctl(sock, SIOCETHTOOL, request) < 0 || set.count > MAX_FEATURES)
        return 0;
    *names = (struct ethtool_gstrings){
        .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = set.count};
    request->ifr_data = (char *)names;
    return ioctl(sock, SIOCETHTOOL, request) < 0 ? 0 : names->len;
}

/*
 * What joins or splits segments below TCP, or leaves checksums to a network card. (A
 * loopback's checksums stay out: no kernel lets go of that.)
 */
static int is_offload(const char *name)
{
    return strstr(name, "segmentation") != NULL || strstr(name, "gro") != NULL ||
           strstr(name, "checksum") != NULL;
}

/* By name, because new kernels bring features that the older ETHTOOL_STSO does not reach. */
static int turn_offloads_off(int sock, struct ifreq *request)
{
    static union {
        struct ethtool_gstrings head;
        char bytes[sizeof(struct ethtool_gstrings) + MAX_FEATURES * ETH_GSTRING_LEN];
    } names;
    struct {
        struct ethtool_sfeatures head;
        struct ethtool_set_features_block blocks[MAX_FEATURES / 32];
    } set = {.head = {.cmd = ETHTOOL_SFEATURES}};
    uint32_t count = feature_names(sock, request, &names.head);

    set.head.size = (count + 31) / 32;
    for (uint32_t i = 0; i < count; i++) {
        char name[ETH_GSTRING_LEN + 1] = "";
        memcpy(name, names.bytes + sizeof names.head + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
        if (is_offload(name))
            set.blocks[i / 32].valid |= 1U << i % 32;
    }
    request->ifr_data = (char *)&set;
    return count == 0 || ioctl(sock, SIOCETHTOOL, request) < 0 ? -1 : 0;
}

static const char *set_up(int sock, struct ifreq *request, int flags)
{
    if (turn_offloads_off(sock, request) < 0)
        return "turn an interface's offloads off";
    request->ifr_mtu = WIRE_MTU;
    if (ioctl(sock, SIOCSIFMTU, request) < 0)
        return "set an interface's MTU";
    request->ifr_flags = (short)(IFF_UP | flags);
    return ioctl(sock, SIOCSIFFLAGS, request) < 0 ? "turn an interface on" : NULL;
}

const char *interface_up(const char *name, int flags)
{
    struct ifreq request = {0};
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (sock < 0)
        return "socket";
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    const char *failed = set_up(sock, &request, flags);
    int error = errno;
    close(sock);
    errno = error;
    return failed;
}
