/*
 * What the FTP clients here have in common: the command line, and what a command's words mean.
 * Each includes it and says how it does them. How it logs in, reads replies and lines, comes to a
 * data connection and keeps what is not whole is its own affair.
 */
#ifndef FTP_CLIENT_SETUP_H
#define FTP_CLIENT_SETUP_H

#include "setup.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>

/* What each program has of its own; false: it has complained. */
static bool get(const char *remote, const char *local);
static bool store(const char *local, const char *remote);
static bool list(void);

static char user[256] = "anonymous";
static const char *password = "guest@", *host, *port = "2121";

__attribute__((format(printf, 1, 2)))
static inline bool complain(const char *format, ...)
{
    va_list list;

    fprintf(stderr, "%s: ", NAME);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return false;
}

/* The name of a file that PATH ends with, or NULL. */
static inline const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    return *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? NULL : name;
}

enum verdict { DONE, FAILED, NOT_UNDERSTOOD, QUIT };

static inline enum verdict transfer(bool is_get, char *word[], int count)
{
    const char *other = count == 3 ? word[2] : name_in(word[1]);

    if (other == NULL || *other == '\0') {
        complain("%s %s: that is no file's name", word[0], word[1]);
        return FAILED;
    }
    for (int i = 1; i < count; i++)
        if (strpbrk(word[i], "\r\n") != NULL) {
            complain("%s: a name of several lines", word[0]);
            return FAILED;
        }
    return (is_get ? get : store)(word[1], other) ? DONE : FAILED;
}

static inline bool is_understood(char *word[], int count)
{
    if (strcmp(word[0], "get") == 0 || strcmp(word[0], "put") == 0)
        return count == 2 || count == 3;
    return count == 1 && (strcmp(word[0], "ls") == 0 || strcmp(word[0], "quit") == 0);
}

static inline enum verdict obey(char *word[], int count)
{
    if (!is_understood(word, count)) {
        complain("%s: get REMOTE [LOCAL], put LOCAL [REMOTE], ls, quit", word[0]);
        return NOT_UNDERSTOOD;
    }
    if (strcmp(word[0], "quit") == 0)
        return QUIT;
    if (strcmp(word[0], "ls") == 0)
        return list() ? DONE : FAILED;
    return transfer(word[0][0] == 'g', word, count);
}

/* LINE as a command; one without words is done at once. */
static inline enum verdict obey_line(char *line)
{
    char *word[5], *rest = line, *next;
    int count = 0;

    while (count < 5 && (next = strsep(&rest, " \t\r\n")) != NULL)
        if (*next != '\0')
            word[count++] = next;
    return count == 0 ? DONE : obey(word, count);
}

_Noreturn static inline void explain(void)
{
    fprintf(stderr, "usage: %s [-p PORT] [-u USER:PASSWORD] HOST [COMMAND...]\n", NAME);
    exit(2);
}

static inline void read_options(int argc, char *argv[])
{
    for (int option; (option = getopt(argc, argv, "+p:u:")) != -1; ) {
        const char *colon = option == 'u' ? strchr(optarg, ':') : NULL;
        if (option == '?' || (option == 'p' && !is_port(optarg))
            || (option == 'u' && (colon == NULL || colon - optarg > 255)))
            explain();
        if (option == 'p')
            port = optarg;
        else {
            snprintf(user, sizeof user, "%.*s", (int)(colon - optarg), optarg);
            password = colon + 1;
        }
    }
    if (optind == argc || strpbrk(user, "\r\n") || strpbrk(password, "\r\n"))
        explain();
    host = argv[optind++];
    if (optind < argc && !is_understood(argv + optind, argc - optind))
        explain();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

#endif
