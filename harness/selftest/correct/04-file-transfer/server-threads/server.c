/*
 * A thread for each client, which reads commands and sends files through stdio. openat2(2) has
 * FOLDER as its root; what is received has no name (O_TMPFILE) until it is whole. No password is
 * asked of anonymous; a transfer begins (125) when its data connection is there.
 */
#include "ftp_server_setup.h"

#include <linux/openat2.h>
#include <pthread.h>
#include <sys/syscall.h>

enum { MOST_SESSIONS = 150, PART = 1 << 15 };

struct session {
    int fd;
    FILE *in;
    char cwd[PATH_MAX], user[LINE];
    bool welcome, binary;
    struct way way;
};

static int sessions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_ended = PTHREAD_COND_INITIALIZER;
static char root_path[PATH_MAX];

static void say(struct session *s, int code, const char *text)
{
    dprintf(s->fd, "%d %s\r\n", code, text);
}

/* -- Paths ---------------------------------------------------------------------- */

static int open_beneath(const struct session *s, const char *path, int flags)
{
    char whole[PATH_MAX + LINE];
    struct open_how how = { .flags = (unsigned)flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
    long fd, tries = 100;

    snprintf(whole, sizeof whole, "%s/%s", *path == '/' ? "" : s->cwd, path);
    do  /* EAGAIN: somebody moves folders about */
        fd = syscall(SYS_openat2, root_fd, whole, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN && tries-- > 0);
    return (int)fd;
}

/* A regular file, and its size; else NULL. */
static FILE *open_file(const struct session *s, const char *path, off_t *size)
{
    int fd = open_beneath(s, path, O_RDONLY);
    struct stat status;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *size = status.st_size;
        return fdopen(fd, "r");
    }
    close(fd);
    return NULL;
}

/* As the kernel knows it. */
static bool path_of(int fd, char path[static PATH_MAX])
{
    char link[40];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    path[len < 0 ? 0 : len] = '\0';
    return len > 0;
}

static void change_folder(struct session *s, const char *path)
{
    char whole[PATH_MAX];
    int fd = open_beneath(s, path, O_RDONLY | O_DIRECTORY);

    if (fd >= 0 && path_of(fd, whole)) {
        strcpy(s->cwd, whole + (strcmp(root_path, "/") == 0 ? 0 : strlen(root_path)));
        if (strcmp(s->cwd, "/") == 0)
            s->cwd[0] = '\0';
        say(s, 250, "You are there.");
    } else
        say(s, 550, "No such folder.");
    close(fd);
}

/* -- Transfers -------------------------------------------------------------------------- */

/* The data connection; the client has been told of it, or of its failure (-1). */
static int open_data(struct session *s)
{
    int fd = has_way(&s->way) ? go(&s->way) : -1;

    say(s, fd < 0 ? 425 : 125, fd < 0 ? "No data connection." : "Here it comes.");
    return fd;
}

static void send_file(struct session *s, const char *path)
{
    off_t size, done = 0;
    size_t n;
    char part[PART], text[2 * PART];
    FILE *file = open_file(s, path, &size), *data;
    int fd;

    if (file == NULL) {
        say(s, 550, "There is no such file.");
        return;
    }
    if ((fd = open_data(s)) >= 0 && (data = fdopen(fd, "w")) != NULL) {
        while (!ferror(data) && (n = fread(part, 1, sizeof part, file)) > 0) {
            done += (off_t)n;
            fwrite(s->binary ? part : text, 1, s->binary ? n : to_wire(part, n, text), data);
        }
        bool failed = ferror(data);
        failed |= fclose(data) == EOF;
        say(s, failed ? 426 : done < size ? 451 : 250, failed ? "You went away."
            : done < size ? "The file has been cut." : "That was all.");
    }
    fclose(file);
}

/* Everything up to the end of file goes to FD. Returns the reply's code. */
static int take_all(int data_fd, int fd, bool binary)
{
    char part[PART], text[PART + 1];
    bool cr = false;
    ssize_t n = -1;

    while (is_ready(data_fd, POLLIN, STANDSTILL) && (n = read(data_fd, part, sizeof part)) > 0) {
        size_t len = binary ? (size_t)n : from_wire(part, (size_t)n, text, &cr);
        if (!put(fd, binary ? part : text, len))
            return 452;
        n = -1;
    }
    if (n < 0)
        return 426;
    return !cr || put(fd, "\r", 1) ? 250 : 452;
}

/* Under a name of its own first: rename() alone can put it in an old file's place. */
static bool give_name(int fd, int folder, const char *name)
{
    char link[40], temporary[60];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    snprintf(temporary, sizeof temporary, ".%ld.%d", (long)getpid(), fd);
    return linkat(AT_FDCWD, link, folder, temporary, AT_SYMLINK_FOLLOW) == 0
        && (renameat(folder, temporary, folder, name) == 0
            || unlinkat(folder, temporary, 0) < 0);
}

static void take_file(struct session *s, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char parent[LINE];
    int fd = -1, data_fd;

    if (account == NULL) {
        say(s, 532, "Have yourself an account made.");
        return;
    }
    snprintf(parent, sizeof parent, "%.*s", (int)(name - path), path);
    int folder = open_beneath(s, parent, O_RDONLY | O_DIRECTORY);
    if (folder >= 0 && is_free(folder, name))
        fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0)
        say(s, 553, "It cannot have this name.");
    else if ((data_fd = open_data(s)) >= 0) {
        int code = take_all(data_fd, fd, s->binary);
        if (code == 250 && !give_name(fd, folder, name))
            code = 553;
        close(data_fd);
        say(s, code, code == 250 ? "It is there." : "It is not kept.");
    }
    close(fd);
    close(folder);
}

static void send_list(struct session *s, const char *path, bool full)
{
    int fd = open_beneath(s, path, O_RDONLY), data_fd;
    struct stat status = { 0 };
    FILE *data;

    if (fd < 0 || fstat(fd, &status) < 0
        || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        say(s, 450, "There is nothing to list.");
    else if ((data_fd = open_data(s)) >= 0 && (data = fdopen(data_fd, "w")) != NULL) {
        if (S_ISREG(status.st_mode))
            print_entry(data, path, &status, full);
        else
            print_entries(data, dup(fd), "", full, true);
        say(s, fclose(data) == EOF ? 426 : 226, "So much for the list.");
    }
    close(fd);
}

/* In type A as it is on the wire (RFC 3659, 4). */
static void tell_size(struct session *s, const char *path)
{
    off_t size, ends = 0;
    char text[30];
    FILE *file = open_file(s, path, &size);

    if (file == NULL) {
        say(s, 550, "Of what?");
        return;
    }
    for (int c; !s->binary && (c = getc_unlocked(file)) != EOF; )
        ends += c == '\n';
    snprintf(text, sizeof text, "%lld", (long long)(size + ends));
    say(s, 213, text);
    fclose(file);
}

/* -- Sessions ------------------------------------------------------------------------------ */

static void login(struct session *s, bool pass, const char *argument)
{
    if (pass && s->welcome)
        say(s, 202, "That is not needed.");
    else if (pass && s->user[0] == '\0')
        say(s, 503, "Whose?");
    else if (pass) {
        s->welcome = is_user(s->user) && is_password(argument);
        s->user[0] = '\0';
        say(s, s->welcome ? 230 : 530, s->welcome ? "Come in." : "No.");
    } else {
        strcpy(s->user, argument);
        s->welcome = account == NULL && is_user(argument);
        say(s, s->welcome ? 230 : 331, s->welcome ? "Come in." : "And the password?");
    }
}

/* What only users may say. */
static void obey_user(struct session *s, const char *verb, char *argument)
{
    char text[2 * PATH_MAX + 4];
    int code;

    if (is(verb, "TYPE", "MODE") || is(verb, "STRU", "STRU"))
        say(s, set_mode(verb, argument, &s->binary), "TYPE, MODE, STRU.");
    else if (is(verb, "PASV", "EPSV")) {
        code = be_passive(&s->way, *verb == 'E', argument, text);
        say(s, code, text);
    } else if (is(verb, "PORT", "EPRT")) {
        code = be_active(&s->way, *verb == 'E', argument);
        say(s, code == 504 ? 500 : code, "PORT and EPRT (1,2).");
    } else if (is(verb, "NLST", "LIST"))
        send_list(s, argument, *verb == 'L');
    else if (is(verb, "PWD", "PWD"))
        say(s, 257, quote(*s->cwd ? s->cwd : "/", text));
    else if (is(verb, "CDUP", "CDUP"))
        change_folder(s, "..");
    else if (*argument == '\0')
        say(s, is(verb, "CWD", "SIZE") || is(verb, "RETR", "STOR") ? 501 : 500, "Which?");
    else if (is(verb, "CWD", "CWD"))
        change_folder(s, argument);
    else if (is(verb, "SIZE", "SIZE"))
        tell_size(s, argument);
    else if (is(verb, "RETR", "RETR"))
        send_file(s, argument);
    else if (is(verb, "STOR", "STOR"))
        take_file(s, argument);
    else
        say(s, 500, "What?");
}

/* False: that was the last line. */
static bool obey(struct session *s, char *line)
{
    char verb[5], *argument = split(line, verb);

    if (is(verb, "QUIT", "QUIT")) {
        say(s, 221, "See you.");
        return false;
    }
    if (is(verb, "USER", "PASS"))
        login(s, *verb == 'P', argument);
    else if (is(verb, "NOOP", "NOOP"))
        say(s, 200, "Nothing done.");
    else if (is(verb, "SYST", "SYST"))
        say(s, 215, "UNKNOWN");
    else if (is(verb, "FEAT", "FEAT"))
        dprintf(s->fd, "211-Features:\r\n SIZE\r\n EPSV\r\n EPRT\r\n211 End\r\n");
    else if (!s->welcome)
        say(s, 530, "Who are you?");
    else
        obey_user(s, verb, argument);
    return true;
}

/* One line without its end; "" for one that is too long or has a NUL. False at the end. */
static bool read_line(struct session *s, char line[static LINE])
{
    size_t len = 0;
    int c;

    while ((c = getc_unlocked(s->in)) != '\n') {
        if (c == EOF && ferror(s->in) && errno == EINTR)
            clearerr(s->in);
        else if (c == EOF) {
            if (ferror(s->in) && errno == EAGAIN)
                say(s, 421, "You say nothing.");
            return false;
        } else if (len < LINE)
            line[len++] = (char)c;
    }
    if (len > 0 && len < LINE && line[len - 1] == '\r')
        len--;
    if (len == LINE || memchr(line, '\0', len) != NULL)
        len = 0;
    line[len] = '\0';
    return true;
}

static void end(struct session *s)
{
    forget_way(&s->way);
    close_first(s->fd);
    if (s->in != NULL)
        fclose(s->in);
    else
        close(s->fd);
    free(s);
    pthread_mutex_lock(&lock);
    sessions--;
    pthread_cond_signal(&one_ended);
    pthread_mutex_unlock(&lock);
}

static void *serve(void *argument)
{
    struct session *s = argument;
    char line[LINE];

    s->way = way_of(s->fd);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ SILENCE, 0 },
               sizeof(struct timeval));
    set_up(s->fd);
    say(s, 220, "Welcome.");
    while (s->in != NULL && read_line(s, line) && obey(s, line))
        ;
    end(s);
    return NULL;
}

/* A client, who waits until there is room for one more session. */
static int accept_client(int listen_fd)
{
    pthread_mutex_lock(&lock);
    int most = MOST_SESSIONS, fd = -1;
    while (fd < 0) {
        while (sessions >= most)
            pthread_cond_wait(&one_ended, &lock);
        pthread_mutex_unlock(&lock);
        is_ready(listen_fd, POLLIN, -1);
        pthread_mutex_lock(&lock);
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            most = sessions;
    }
    sessions++;
    pthread_mutex_unlock(&lock);
    return fd;
}

static void end_with_success(int number)
{
    (void)number;
    _exit(0);
}

int main(int argc, char *argv[])
{
    signal(SIGTERM, end_with_success);
    signal(SIGINT, end_with_success);
    int listen_fd = open_server(argc, argv);
    pthread_attr_t attributes;
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    path_of(root_fd, root_path);
    for (;;) {
        struct session *s = calloc(1, sizeof *s);
        pthread_t thread;
        if (s == NULL)
            fail("calloc");
        s->fd = accept_client(listen_fd);
        s->in = fdopen(s->fd, "r");
        s->way.listen_fd = -1;
        if (pthread_create(&thread, &attributes, serve, s) != 0) {
            say(s, 421, "There is no room.");
            end(s);
        }
    }
}
