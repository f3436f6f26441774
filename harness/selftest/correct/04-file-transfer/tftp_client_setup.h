/*
 * What the TFTP clients here have in common: the command line, the request, what may be in an
 * OACK, how an ERROR is told. How they wait, and what is in which file when, is their own.
 */
#ifndef TFTP_CLIENT_SETUP_H
#define TFTP_CLIENT_SETUP_H

#include "tftp_setup.h"

#include <ctype.h>

enum { RETRIES = 5 };

/* What the command line says. */
static const char *host, *port = "6666";
static bool is_get;
static const char *remote_name, *local_name;
static long long asked_block = -1, asked_window = -1;   /* -1: not asked for */
static long long asked_size = -1;                       /* a program's own wish */

/* What holds now: OACK changes it. */
static size_t block_size = USUAL_BLOCK, window = 1;

static inline bool take_option(int option)
{
    switch (option) {
    case 'p':
        port = optarg;
        return is_port(optarg);
    case 'b':
        asked_block = number_in(optarg, LEAST_BLOCK, MOST_BLOCK);
        return asked_block >= 0;
    case 'w':
        asked_window = number_in(optarg, 1, MOST_WINDOW);
        return asked_window >= 0;
    case 'o':
        local_name = optarg;
        return true;
    default:
        return false;
    }
}

static inline void read_options(int argc, char *argv[])
{
    bool right = true;

    for (int option; right && (option = getopt(argc, argv, "p:b:w:o:")) != -1; )
        right = take_option(option);
    if (!right || argc - optind != 3
        || (strcmp(argv[optind + 1], "get") != 0 && strcmp(argv[optind + 1], "put") != 0)) {
        fprintf(stderr, "usage: %s [-p PORT] [-b BLKSIZE] [-w WINDOWSIZE] [-o LOCAL] HOST get|put"
                " FILE\n", NAME);
        exit(2);
    }
    host = argv[optind];
    is_get = argv[optind + 1][0] == 'g';
    const char *file = argv[optind + 2], *base = basename(file);
    remote_name = is_get || local_name != NULL ? file : base;
    if (local_name == NULL)
        local_name = is_get ? base : file;
}

/* Writes the request into PACKET. Returns its length. */
static inline size_t make_request(char *packet)
{
    const struct { const char *name; long long asked; } options[] = {
        { "blksize", asked_block }, { "windowsize", asked_window }, { "tsize", asked_size },
    };

    put16(packet, is_get ? RRQ : WRQ);
    size_t len = 2 + (size_t)snprintf(packet + 2, ROOM - 200, "%s%coctet", remote_name, '\0') + 1;
    if (len > ROOM - 200)
        refuse("a name too long");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].asked >= 0)
            len += (size_t)sprintf(packet + len, "%s%c%lld", options[i].name, '\0',
                                   options[i].asked) + 1;
    return len;
}

/* Takes what an OACK of LEN bytes says; false: more, or something else, than was asked for. */
static inline bool take_oack(char *packet, size_t len)
{
    char *at = packet + 2, *end = packet + len, *name, *value;

    while ((name = next_string(&at, end)) != NULL && (value = next_string(&at, end)) != NULL)
        if (strcasecmp(name, "blksize") == 0 && number_in(value, LEAST_BLOCK, asked_block) > 0)
            block_size = (size_t)atoll(value);
        else if (strcasecmp(name, "windowsize") == 0 && number_in(value, 1, asked_window) > 0)
            window = (size_t)atoll(value);
        else if (strcasecmp(name, "tsize") != 0 || asked_size < 0)
            return false;
    return at == end;
}

/* What the server has to say in an ERROR of LEN bytes; its text may be anything. */
_Noreturn static inline void end_by_error(const char *packet, size_t len)
{
    fprintf(stderr, "%s: %s: ", NAME, remote_name);
    for (size_t i = HEADER; i < len && packet[i] != '\0'; i++)
        fputc(iscntrl((unsigned char)packet[i]) ? '?' : packet[i], stderr);
    fprintf(stderr, " (error %u)\n", len >= HEADER ? get16(packet + 2) : 0);
    exit(1);
}

_Noreturn static inline void give_up(void)
{
    fprintf(stderr, "%s: no answer from %s port %s\n", NAME, host, port);
    exit(1);
}

/* From the moment a server has answered at PEER it shall know why there is no more. */
_Noreturn static inline void break_off(int fd, const union address *peer, unsigned code,
                                       const char *text)
{
    send_error(fd, peer, code, text);
    fprintf(stderr, "%s: %s: %s\n", NAME, local_name, text);
    exit(1);
}

#endif
