/* link.c - see link.h. The kernel is spoken to as rtnetlink(7) says. */
#include "link.h"

#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HOST_END "eth0"
enum {
    HOST_INDEX = 100, /* of HOST_END; the kernel begins with 1 */
    PATIENCE_S = 20
};

static const char *const middle_ends[1 + LINK_HOSTS] = {"", "a", "b"};

/* -- Requests -------------------------------------------------------------- */

struct request {
    struct nlmsghdr head;
    char body[400];
};

/* Room for LEN bytes more, filled with DATA unless that is NULL, and padded with zeros. */
static void *add(struct request *request, const void *data, size_t len)
{
    char *place = (char *)request + request->head.nlmsg_len;

    memset(place, 0, NLMSG_ALIGN(len));
    if (data != NULL)
        memcpy(place, data, len);
    request->head.nlmsg_len += (uint32_t)NLMSG_ALIGN(len);
    return place;
}

/* An attribute of LEN bytes; with more attributes in it, nest_end() gives it its length. */
static struct rtattr *attribute(struct request *request, int type, const void *data, size_t len)
{
    struct rtattr *head = add(request, NULL, RTA_LENGTH(0));

    head->rta_type = (unsigned short)type;
    head->rta_len = (unsigned short)RTA_LENGTH(len);
    if (len > 0)
        add(request, data, len);
    return head;
}

static void nest_end(struct request *request, struct rtattr *nest)
{
    char *end = (char *)request + request->head.nlmsg_len;

    nest->rta_len = (unsigned short)(end - (char *)nest);
}

static void begin(struct request *request, int type, int flags, const void *fixed, size_t len)
{
    request->head = (struct nlmsghdr){
        .nlmsg_len = NLMSG_HDRLEN,
        .nlmsg_type = (unsigned short)type,
        .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags)};
    add(request, fixed, len);
}

/*
 * Receives until one message is what DONE waits for; DONE returns 1 for it, 0 for any
 * other, -1 with errno for a refusal. 0, or -1 with errno.
 */
static int await(int sock, int (*done)(const struct nlmsghdr *message))
{
    _Alignas(struct nlmsghdr) char buffer[8192];

    for (;;) {
        ssize_t n = recv(sock, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        uint32_t left = (uint32_t)n;
        for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
            int found = done(m);
            if (found != 0)
                return found > 0 ? 0 : -1;
        }
    }
}

static int is_answer(const struct nlmsghdr *message)
{
    const struct nlmsgerr *answer = NLMSG_DATA(message);

    if (message->nlmsg_type != NLMSG_ERROR)
        return 0;
    errno = -answer->error;
    return answer->error == 0 ? 1 : -1;
}

/* Sends REQUEST and waits for what DONE waits for. 0, or -1 with errno. */
static int ask_until(int sock, const struct request *request,
                     int (*done)(const struct nlmsghdr *message))
{
    if (send(sock, request, request->head.nlmsg_len, 0) < 0)
        return -1;
    return await(sock, done);
}

static int ask(int sock, const struct request *request)
{
    return ask_until(sock, request, is_answer);
}

/* A socket to speak of this namespace's interfaces, wherever its owner goes then. */
static int open_routes(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_LINK | RTMGRP_IPV6_ROUTE};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (sock < 0)
        return -1;
    if (bind(sock, (struct sockaddr *)&address, sizeof address) == 0 &&
        setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0)
        return sock;
    int error = errno;
    close(sock);
    errno = error;
    return -1;
}

/* -- The pair -------------------------------------------------------------- */

/* Makes HOST_END here and its other end, called NAME, in the namespace MIDDLE. */
static int make_pair(int sock, const char *name, int middle)
{
    static const uint8_t mac[] = LINK_MAC;
    struct ifinfomsg here = {.ifi_family = AF_UNSPEC, .ifi_index = HOST_INDEX};
    struct ifinfomsg there = {.ifi_family = AF_UNSPEC};
    struct request request;

    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &here, sizeof here);
    attribute(&request, IFLA_IFNAME, HOST_END, sizeof HOST_END);
    attribute(&request, IFLA_ADDRESS, mac, sizeof mac);
    struct rtattr *info = attribute(&request, IFLA_LINKINFO, NULL, 0);
    attribute(&request, IFLA_INFO_KIND, "veth", strlen("veth"));
    struct rtattr *data = attribute(&request, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *other = attribute(&request, VETH_INFO_PEER, NULL, 0);
    add(&request, &there, sizeof there);
    attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
    attribute(&request, IFLA_NET_NS_FD, &middle, sizeof middle);
    nest_end(&request, other);
    nest_end(&request, data);
    nest_end(&request, info);
    return ask(sock, &request);
}

/*
 * Keeps the kernel from giving interface NAME an address of its own, with which it would
 * look for routers. 0, also where there is no IPv6, or -1 with errno.
 */
static int have_no_own_address(int sock, const char *name)
{
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    struct request request;

    begin(&request, RTM_NEWLINK, 0, &link, sizeof link);
    attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
    struct rtattr *families = attribute(&request, IFLA_AF_SPEC, NULL, 0);
    struct rtattr *ipv6 = attribute(&request, AF_INET6, NULL, 0);
    attribute(&request, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    nest_end(&request, ipv6);
    nest_end(&request, families);
    return ask(sock, &request) == 0 || errno == EAFNOSUPPORT ? 0 : -1;
}

const char *link_make(int number, int middle, int *routes)
{
    const char *failed = NULL;
    int sock = open_routes();

    if (sock < 0)
        return "open an rtnetlink socket";
    if (make_pair(sock, middle_ends[number], middle) < 0)
        failed = "make a veth pair";
    else if (have_no_own_address(sock, HOST_END) < 0)
        failed = "keep a link free of other traffic";
    else
        failed = interface_up(HOST_END, IFF_NOARP);
    if (failed == NULL) {
        *routes = sock;
        return NULL;
    }
    int error = errno;
    close(sock);
    errno = error;
    return failed;
}

/* -- The link's being on, and the addresses -------------------------------- */

/* The kernel tells when what it has to do after both ends were turned on is done. */
static int is_up(const struct nlmsghdr *message)
{
    const struct ifinfomsg *link = NLMSG_DATA(message);

    if (message->nlmsg_type != RTM_NEWLINK || link->ifi_index != HOST_INDEX)
        return 0;
    size_t left = IFLA_PAYLOAD(message);
    for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == IFLA_OPERSTATE)
            return *(uint8_t *)RTA_DATA(a) == IF_OPER_UP;
    return 0;
}

/*
 * An IPv6 address is the host's own once its route is there, which comes by itself, soon
 * after the answer or even before it.
 */
static int is_own(const struct nlmsghdr *message)
{
    const struct rtmsg *route = NLMSG_DATA(message);

    if (message->nlmsg_type == RTM_NEWROUTE)
        return route->rtm_type == RTN_LOCAL;
    return is_answer(message) < 0 ? -1 : 0;
}

/* Gives HOST_END the ADDRESS of LEN bytes; it can be used then. 0, or -1 with errno. */
static int add_address(int sock, int family, const void *address, size_t len, uint8_t prefix)
{
    uint32_t flags = IFA_F_PERMANENT | IFA_F_NODAD;
    struct ifaddrmsg head = {.ifa_family = (uint8_t)family, .ifa_prefixlen = prefix,
                             .ifa_index = HOST_INDEX};
    struct request request;

    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    attribute(&request, IFA_LOCAL, address, len);
    attribute(&request, IFA_ADDRESS, address, len);
    attribute(&request, IFA_FLAGS, &flags, sizeof flags);
    return ask_until(sock, &request, family == AF_INET6 ? is_own : is_answer);
}

static int add_addresses(int sock, int number)
{
    struct in_addr ipv4 = {htonl(0x0a090000 + (uint32_t)number)};
    struct in6_addr ipv6 = {{{0xfd, 0x09}}};

    ipv6.s6_addr[15] = (uint8_t)number;
    if (add_address(sock, AF_INET, &ipv4, sizeof ipv4, 24) < 0)
        return -1;
    if (add_address(sock, AF_INET6, &ipv6, sizeof ipv6, 64) < 0)
        return errno == EOPNOTSUPP || errno == EAFNOSUPPORT ? 0 : -1; /* no IPv6 here */
    return 0;
}

/* Turns the end in the middle on, which SOCK, made there, is to speak of. */
static const char *middle_end_up(int sock, const char *name)
{
    if (sock < 0)
        return "open an rtnetlink socket";
    if (have_no_own_address(sock, name) < 0)
        return "keep a link free of other traffic";
    return interface_up(name, IFF_NOARP);
}

static const char *host_end_up(int routes, int number)
{
    if (await(routes, is_up) < 0)
        return "wait for a link";
    return add_addresses(routes, number) < 0 ? "give a host its addresses" : NULL;
}

const char *link_up(int number, int routes)
{
    int sock = open_routes();
    const char *failed = middle_end_up(sock, middle_ends[number]);

    if (failed == NULL)
        failed = host_end_up(routes, number);
    int error = errno;
    if (sock >= 0)
        close(sock);
    close(routes);
    errno = error;
    return failed;
}
