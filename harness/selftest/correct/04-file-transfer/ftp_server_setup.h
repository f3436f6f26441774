/*
 * What the FTP servers here have in common: options, words, addresses, names, lines of lists.
 * How sessions go on side by side, paths are opened, bytes are moved and what is said of it all
 * is each program's own.
 */
#ifndef FTP_SERVER_SETUP_H
#define FTP_SERVER_SETUP_H

#include "setup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <time.h>

enum {
    LINE = 2000,        /* bytes of a command */
    SILENCE = 300,      /* seconds that a session may say nothing */
    PATIENCE = 30,      /* seconds for a data connection to come */
    STANDSTILL = 60     /* seconds that a transfer may rest */
};

/* How 229 and 227 say it; a server may have its own way. */
#ifndef BAR
#define BAR '|'
#endif
#ifndef PASV_TEXT
#define PASV_TEXT "Come in (%u,%u,%u,%u,%u,%u)"
#endif

/* The port that a data connection comes from; 0: any. */
#ifndef DATA_PORT
#define DATA_PORT(control_port) 0
#endif

/* What the command line says. */
static const char *account;     /* USER:PASSWORD, or NULL: anonymous, who may only read */
static int root_fd;             /* FOLDER */

/* Returns the listening socket, its start line printed. */
static inline int open_server(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "2121", *folder = ".";
    bool right = true;

    for (int option; right && (option = getopt(argc, argv, "a:p:u:d:")) != -1; )
        switch (option) {
        case 'a': address = optarg; break;
        case 'p': port = optarg; break;
        case 'u': account = optarg; break;
        case 'd': folder = optarg; break;
        default: right = false;
        }
    if (!right || optind < argc || !is_port(port)
        || (account != NULL && strchr(account, ':') == NULL)) {
        fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT] [-u USER:PASSWORD] [-d FOLDER]\n", NAME);
        exit(2);
    }
    if ((root_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        fail(folder);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int listen_fd = open_socket(address, port, AI_PASSIVE, bind);
    if (listen(listen_fd, 128) < 0)
        fail("listen");
    print_start_line(listen_fd);
    return listen_fd;
}

static inline bool is_user(const char *name)
{
    if (account == NULL)
        return strcasecmp(name, "anonymous") == 0 || strcasecmp(name, "ftp") == 0;
    return strlen(name) == (size_t)(strchr(account, ':') - account)
        && strncmp(account, name, strlen(name)) == 0;
}

static inline bool is_password(const char *word)
{
    return account == NULL || strcmp(strchr(account, ':') + 1, word) == 0;
}

/* Whether FD is ready for EVENTS within so many SECONDS. */
static inline bool is_ready(int fd, short events, int seconds)
{
    struct pollfd wait = { .fd = fd, .events = events };
    int ready;

    while ((ready = poll(&wait, 1, seconds * 1000)) < 0 && errno == EINTR)
        ;
    return ready > 0;
}

/* -- Words ------------------------------------------------------------------- */

/* VERB becomes LINE's first word, in capitals; "" if that is none of FTP's. Returns the rest. */
static inline char *split(char *line, char verb[static 5])
{
    size_t len = strcspn(line, " ");
    char *rest = line + len + (line[len] == ' ');

    verb[0] = '\0';
    if (len == 3 || len == 4)
        sprintf(verb, "%.*s", (int)len, line);
    for (char *c = verb; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return rest;
}

static inline bool is(const char *verb, const char *one, const char *other)
{
    return strcmp(verb, one) == 0 || strcmp(verb, other) == 0;
}

/* The reply to TYPE, MODE and STRU. */
static inline int set_mode(const char *verb, const char *argument, bool *binary)
{
    const char *known[] = { "I", "L 8", "A", "A N" };

    if (*argument == '\0')
        return 501;
    if (*verb != 'T')
        return strcasecmp(argument, *verb == 'M' ? "S" : "F") == 0 ? 200 : 504;
    for (int i = 0; i < 4; i++)
        if (strcasecmp(argument, known[i]) == 0) {
            *binary = i < 2;
            return 200;
        }
    return 504;
}

/* PATH in quotes, those in it doubled. Returns TEXT. */
static inline char *quote(const char *path, char text[static 2 * PATH_MAX + 4])
{
    char *end = text;

    *end++ = '"';
    for (; *path; *end++ = *path++)
        if (*path == '"')
            *end++ = '"';
    strcpy(end, "\"");
    return text;
}

/* -- Text: CR LF on the wire, LF in a file. Both return TO's length. ------------ */

static inline size_t to_wire(const char *from, size_t len, char *to)
{
    char *end = to;

    for (size_t i = 0; i < len; *end++ = from[i++])
        if (from[i] == '\n')
            *end++ = '\r';
    return (size_t)(end - to);
}

/* *CR: a CR came, and nobody knows yet what follows. */
static inline size_t from_wire(const char *from, size_t len, char *to, bool *cr)
{
    char *end = to;

    for (size_t i = 0; i < len; i++) {
        if (*cr && from[i] != '\n')
            *end++ = '\r';
        *cr = from[i] == '\r';
        if (!*cr)
            *end++ = from[i];
    }
    return (size_t)(end - to);
}

/* -- Names and lists ------------------------------------------------------------- */

/* Whether a file can be written in FOLDER by this NAME. */
static inline bool is_free(int folder, const char *name)
{
    struct stat status;

    if (*name == '\0' || is(name, ".", "..") || strlen(name) > NAME_MAX)
        return false;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? S_ISREG(status.st_mode)
        : errno == ENOENT;
}

/* A line of NLST, or with FULL of LIST. */
static inline void print_entry(FILE *list, const char *name, const struct stat *status, bool full)
{
    char date[40];
    struct tm time;

    strftime(date, sizeof date, "%b %d  %Y", gmtime_r(&status->st_mtime, &time));
    if (full)
        fprintf(list, "%s 1 ftp ftp %lld %s ", S_ISDIR(status->st_mode) ? "dr-xr-xr-x"
                : "-r--r--r--", (long long)status->st_size, date);
    fprintf(list, "%s\r\n", name);
}

/* Those of the folder FD, which is closed then: its files, and with FOLDERS these, too. PREFIX
 * comes before each name. */
static inline void print_entries(FILE *list, int fd, const char *prefix, bool full, bool folders)
{
    DIR *dir = fdopendir(fd);
    struct stat status;
    char name[2 * PATH_MAX];

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL; )
        if (!is(entry->d_name, ".", "..")
            && fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0
            && (S_ISREG(status.st_mode) || (folders && S_ISDIR(status.st_mode)))) {
            snprintf(name, sizeof name, "%s%s", prefix, entry->d_name);
            print_entry(list, name, &status, full);
        }
    if (dir != NULL)
        closedir(dir);
    else
        close(fd);
}

/* -- Paths, as text first: without . and .. and without / at either end --------- */

/* PLAIN becomes PATH as seen from CWD; false: too long. */
static inline bool make_plain(const char *cwd, const char *path, char plain[static PATH_MAX])
{
    char whole[PATH_MAX + LINE], *rest = whole;
    size_t len = 0;

    snprintf(whole, sizeof whole, "%s/%s", *path == '/' ? "" : cwd, path);
    plain[0] = '\0';
    for (char *word; (word = strsep(&rest, "/")) != NULL; ) {
        if (strcmp(word, "..") == 0) {
            char *slash = strrchr(plain, '/');
            len = slash ? (size_t)(slash - plain) : 0;
            plain[len] = '\0';
        } else if (*word != '\0' && strcmp(word, ".") != 0) {
            if (len + strlen(word) + 2 > PATH_MAX)
                return false;
            len += (size_t)sprintf(plain + len, "%s%s", len > 0 ? "/" : "", word);
        }
    }
    return true;
}

/* The folder that PLAIN's last name is in, or -1; *NAME is that name, "." for FOLDER itself. */
static inline int open_parent(char *plain, const char **name)
{
    int fd = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (char *slash; fd >= 0 && (slash = strchr(plain, '/')) != NULL; plain = slash + 1) {
        *slash = '\0';
        int next = openat(fd, plain, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    *name = *plain ? plain : ".";
    return fd;
}

static inline bool is_kind(const struct stat *status, bool folder)
{
    return S_ISREG(status->st_mode) || (folder && S_ISDIR(status->st_mode));
}

/* What PATH is, opened to be read: a file, or with FOLDER also a folder; else -1. */
static inline int open_path(const char *cwd, const char *path, bool folder, struct stat *status)
{
    char plain[PATH_MAX];
    const char *name;
    int parent = make_plain(cwd, path, plain) ? open_parent(plain, &name) : -1, fd = -1;

    if (parent >= 0 && fstatat(parent, name, status, AT_SYMLINK_NOFOLLOW) == 0
        && is_kind(status, folder))
        fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (parent >= 0)
        close(parent);
    if (fd >= 0 && (fstat(fd, status) < 0 || !is_kind(status, folder))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* -- Addresses: IPv4 that comes in IPv6's form (-a ::) is taken for what it is -- */

union place {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* GET is getsockname or getpeername. */
static inline union place place_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    union place place = { 0 }, plain = { .v4.sin_family = AF_INET };
    socklen_t len = sizeof place;

    if (get(fd, &place.any, &len) < 0 || place.any.sa_family != AF_INET6
        || !IN6_IS_ADDR_V4MAPPED(&place.v6.sin6_addr))
        return place;
    memcpy(&plain.v4.sin_addr, &place.v6.sin6_addr.s6_addr[12], 4);
    plain.v4.sin_port = place.v6.sin6_port;
    return plain;
}

static inline socklen_t place_len(const union place *place)
{
    return place->any.sa_family == AF_INET ? sizeof place->v4 : sizeof place->v6;
}

static inline bool is_same_host(const union place *one, const union place *two)
{
    if (one->any.sa_family != two->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET)
        return one->v4.sin_addr.s_addr == two->v4.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&one->v6.sin6_addr, &two->v6.sin6_addr);
}

/* Both families have the port at the same place. */
static inline unsigned port_of(const union place *place)
{
    return ntohs(place->v4.sin_port);
}

/* -- The data connection ----------------------------------------------------- */

/* What leads to the next data connection: a socket that listens, or ACTIVE and a place. */
struct way {
    union place own, peer, to;
    int listen_fd, kept_fd;     /* the latter: one for all transfers, where KEEPS is set */
    bool active, epsv_only, keeps;
};

static inline struct way way_of(int control_fd)
{
    return (struct way){ .own = place_of(control_fd, getsockname),
                         .peer = place_of(control_fd, getpeername),
                         .listen_fd = -1, .kept_fd = -1 };
}

static inline void forget_way(struct way *way)
{
    if (way->listen_fd >= 0 && !way->keeps)
        close(way->listen_fd);
    way->listen_fd = -1;
    way->active = false;
}

static inline bool has_way(const struct way *way)
{
    return way->active || way->listen_fd >= 0;
}

/* A socket that listens at a free port of OWN's host, or -1. */
static inline int listen_for_data(union place own)
{
    int fd = socket(own.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    own.v4.sin_port = 0;
    if (fd >= 0 && bind(fd, &own.any, place_len(&own)) == 0 && listen(fd, 5) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Who never takes what is sent keeps nobody; and no reply waits until another is acknowledged. */
static inline void set_up(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){ STANDSTILL * 1000 },
               sizeof(unsigned));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

/* Waits for PEER's connection, or another of its host; -1 where none comes. */
static inline int accept_for_data(int listen_fd, const union place *peer)
{
    while (is_ready(listen_fd, POLLIN, PATIENCE)) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        union place from = place_of(fd, getpeername);
        if (fd >= 0 && is_same_host(&from, peer)) {
            set_up(fd);
            return fd;
        }
        close(fd);
    }
    return -1;
}

/* Connects OWN's host to TO; -1 where nobody answers. */
static inline int connect_for_data(union place own, const union place *to)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t len = sizeof error;

    own.v4.sin_port = htons(DATA_PORT(port_of(&own)));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (fd >= 0 && bind(fd, &own.any, place_len(&own)) == 0
        && (connect(fd, &to->any, place_len(to)) == 0 || errno == EINPROGRESS)
        && is_ready(fd, POLLOUT, PATIENCE)
        && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        fcntl(fd, F_SETFL, 0);
        set_up(fd);
        return fd;
    }
    close(fd);
    return -1;
}

/* Whether EPSV's argument asks for this protocol (229), for ALL (200), for another (522). */
static inline int extended_passive(const char *argument, const union place *own)
{
    if (*argument == '\0')
        return 229;
    if (strcasecmp(argument, "ALL") == 0)
        return 200;
    if (strspn(argument, "0123456789") != strlen(argument))
        return 501;
    return strcmp(argument, own->any.sa_family == AF_INET ? "1" : "2") == 0 ? 229 : 522;
}

/* The reply to PASV, or with EXTENDED to EPSV; in TEXT what it says. */
static inline int be_passive(struct way *way, bool extended, const char *argument,
                             char text[static 80])
{
    bool v4 = way->own.any.sa_family == AF_INET;
    int code = extended ? extended_passive(argument, &way->own) : way->epsv_only ? 503
        : v4 ? 227 : 522;

    strcpy(text, code == 522 ? "Use EPSV, protocols (1,2)" : "EPSV");
    way->epsv_only |= code == 200;
    if (code != 227 && code != 229)
        return code;
    forget_way(way);
    for (int fd; way->kept_fd >= 0 && (fd = accept(way->kept_fd, NULL, NULL)) >= 0; )
        close(fd);              /* it came for an earlier transfer */
    way->listen_fd = way->kept_fd >= 0 ? way->kept_fd : listen_for_data(way->own);
    way->kept_fd = way->keeps ? way->listen_fd : -1;
    if (way->listen_fd < 0) {
        strcpy(text, "No socket");
        return 425;
    }
    union place at = place_of(way->listen_fd, getsockname);
    unsigned host = ntohl(at.v4.sin_addr.s_addr), port = port_of(&at);
    if (extended)
        sprintf(text, "Come in (%c%c%c%u%c)", BAR, BAR, BAR, port, BAR);
    else
        sprintf(text, PASV_TEXT, host >> 24, host >> 16 & 255, host >> 8 & 255,
                host & 255, port >> 8, port & 255);
    return code;
}

static inline bool parse_port(const char *argument, union place *to)
{
    unsigned n[6];
    int end = 0;

    if (strspn(argument, "0123456789,") != strlen(argument)
        || sscanf(argument, "%3u,%3u,%3u,%3u,%3u,%3u%n", n, n + 1, n + 2, n + 3, n + 4, n + 5,
                  &end) != 6 || argument[end] != '\0')
        return false;
    for (int i = 0; i < 6; i++)
        if (n[i] > 255)
            return false;
    to->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(n[4] << 8 | n[5]),
                                   .sin_addr.s_addr = htonl(n[0] << 24 | n[1] << 16 | n[2] << 8
                                                            | n[3]) };
    return true;
}

/* |PROTOCOL|HOST|PORT|, any character for the bars. Returns 200, 501 or 522. */
static inline int parse_eprt(const char *argument, union place *to)
{
    char copy[100], bar[2] = { argument[0] }, *word[3], *rest = copy + 1;

    if (strlen(argument) >= sizeof copy || bar[0] < 33 || bar[0] > 126)
        return 501;
    strcpy(copy, argument);
    for (int i = 0; i < 3; i++)
        if ((word[i] = strsep(&rest, bar)) == NULL)
            return 501;
    if (rest == NULL || *rest != '\0' || !is_port(word[2]))
        return 501;
    bool v4 = strcmp(word[0], "1") == 0;
    if (!v4 && strcmp(word[0], "2") != 0)
        return 522;
    *to = (union place){ .any.sa_family = v4 ? AF_INET : AF_INET6 };
    to->v4.sin_port = htons((in_port_t)atoi(word[2]));
    void *host = v4 ? (void *)&to->v4.sin_addr : &to->v6.sin6_addr;
    return inet_pton(to->any.sa_family, word[1], host) == 1 ? 200 : 501;
}

/* The reply to PORT, or with EXTENDED to EPRT: 200 for the client's own host, and no port of its
 * system; 501, 504, 522. */
static inline int be_active(struct way *way, bool extended, const char *argument)
{
    int code = way->epsv_only ? 503 : extended ? parse_eprt(argument, &way->to)
        : parse_port(argument, &way->to) ? 200 : 501;

    forget_way(way);
    if (code == 200 && (!is_same_host(&way->to, &way->peer) || port_of(&way->to) < 1024))
        code = 504;
    if (code == 200 && way->to.any.sa_family == AF_INET6)
        way->to.v6.sin6_scope_id = way->peer.v6.sin6_scope_id;
    way->active = code == 200;
    return code;
}

/* The data connection that WAY leads to, once; -1 where there is none. */
static inline int go(struct way *way)
{
    int fd = way->active ? connect_for_data(way->own, &way->to)
        : accept_for_data(way->listen_fd, &way->peer);

    forget_way(way);
    return fd;
}

/* The FIN; what the client still says is read, so that closing FD is no reset. */
static inline void close_first(int fd)
{
    char rest[512];

    shutdown(fd, SHUT_WR);
    while (is_ready(fd, POLLIN, 5) && read(fd, rest, sizeof rest) > 0)
        ;
}

#endif
