/*
 * What the TFTP programs here have in common: packets (RFC 1350), numbers, addresses, the clock.
 * How a transfer goes on, and when what is sent again, is each program's own affair.
 */
#ifndef TFTP_SETUP_H
#define TFTP_SETUP_H

#include "setup.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <strings.h>
#include <time.h>

enum { RRQ = 1, WRQ, DATA, ACK, ERROR, OACK };
enum { NOT_DEFINED, NO_FILE, NO_ACCESS, DISK_FULL, ILLEGAL, NO_TRANSFER, FILE_EXISTS, NO_USER,
       BAD_OPTIONS };
enum { HEADER = 4, USUAL_BLOCK = 512, LEAST_BLOCK = 8, MOST_BLOCK = 65464, MOST_WINDOW = 65535,
       ROOM = 65536 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static inline unsigned get16(const char *at)
{
    return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static inline void put16(char *at, unsigned value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

static inline int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* TEXT as a number, if it is one of digits alone from LEAST to MOST; else -1. */
static inline long long number_in(const char *text, long long least, long long most)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 15 || text[digits] != '\0')
        return -1;
    long long value = atoll(text);
    return value >= least && value <= most ? value : -1;
}

/* The string at *AT, its NUL before END; *AT is then behind it. NULL where there is none. */
static inline char *next_string(char **at, char *end)
{
    char *string = *at, *nul = string < end ? memchr(string, '\0', (size_t)(end - string)) : NULL;

    if (nul != NULL)
        *at = nul + 1;
    return nul != NULL ? string : NULL;
}

static inline socklen_t length_of(const union address *addr)
{
    return addr->any.sa_family == AF_INET ? sizeof addr->v4 : sizeof addr->v6;
}

static inline bool is_same_host(const union address *one, const union address *other)
{
    if (one->any.sa_family != other->any.sa_family)
        return false;
    return one->any.sa_family == AF_INET
        ? one->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr
        : IN6_ARE_ADDR_EQUAL(&one->v6.sin6_addr, &other->v6.sin6_addr);
}

/* The port is at the same place in both families. */
static inline bool is_same(const union address *one, const union address *other)
{
    return is_same_host(one, other) && one->v4.sin_port == other->v4.sin_port;
}

static inline void send_error(int fd, const union address *to, unsigned code, const char *text)
{
    char packet[100];

    put16(packet, ERROR);
    put16(packet + 2, code);
    int len = snprintf(packet + HEADER, sizeof packet - HEADER, "%s", text);
    sendto(fd, packet, HEADER + (size_t)len + 1, 0, &to->any, length_of(to));
}

static inline void send_ack(int fd, const union address *to, uint64_t block)
{
    char packet[HEADER];

    put16(packet, ACK);
    put16(packet + 2, (uint16_t)block);
    sendto(fd, packet, sizeof packet, 0, &to->any, length_of(to));
}

/* The code of RFC 1350 for errno's WHY. */
static inline unsigned code_of(int why)
{
    switch (why) {
    case ENOENT: case ENOTDIR: case EISDIR: case ENAMETOOLONG: case ENXIO:
        return NO_FILE;
    case EACCES: case EPERM: case EROFS: case EXDEV: case ELOOP:
        return NO_ACCESS;
    case ENOSPC: case EDQUOT: case EFBIG:
        return DISK_FULL;
    case EEXIST:
        return FILE_EXISTS;
    default:
        return NOT_DEFINED;
    }
}

#endif
