/*
 * A process for each client, and one for each of its transfers, whose exit status is the reply.
 * Files are sent as memory (mmap): one that shrinks meanwhile kills but the child that sends it.
 * Who is not known hears so before a password is asked for. Calls come from the port below.
 */
#define PASV_TEXT "=%u,%u,%u,%u,%u,%u"
#define DATA_PORT(control_port) ((control_port) - 1)     /* RFC 959, 5.2 */
#include "ftp_server_setup.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { MOST = 100, PART = 1 << 15, VIEW = 1 << 20, TRIES = 5 };

struct session {
    int fd, wrong;
    char cwd[PATH_MAX], user[LINE], in[LINE];
    size_t begin, end;              /* of what is unread in IN */
    bool welcome, binary;
    struct way way;
};

/* What a signal puts an end to: the child that transfers, the file that is not whole. */
static volatile pid_t child = -1;
static int temporary_folder = -1;
static char temporary[40];
static pid_t main_pid;

__attribute__((format(printf, 2, 3)))
static void say(struct session *s, const char *format, ...)
{
    char text[2 * PATH_MAX + 100];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text - 2, format, list);
    va_end(list);
    strcat(text, "\r\n");
    put(s->fd, text, strlen(text));
}

static void drop(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* -- What the child of a transfer does: each returns the reply's code ----------------- */

static int send_memory(int data_fd, const char *from, size_t len, bool binary)
{
    static char text[2 * PART];
    size_t n;

    if (binary)
        return put(data_fd, from, len) ? 226 : 426;
    for (; len > 0; from += n, len -= n) {
        n = len < PART ? len : PART;
        if (!put(data_fd, text, to_wire(from, n, text)))
            return 426;
    }
    return 226;
}

static int send_file(int data_fd, int file_fd, bool binary)
{
    struct stat status;
    int code = fstat(file_fd, &status) < 0 ? 451 : 226;

    for (off_t done = 0; code == 226 && done < status.st_size; done += VIEW) {
        size_t len = status.st_size - done < VIEW ? (size_t)(status.st_size - done) : VIEW;
        char *view = mmap(NULL, len, PROT_READ, MAP_SHARED, file_fd, done);
        code = view == MAP_FAILED ? 451 : send_memory(data_fd, view, len, binary);
        if (view != MAP_FAILED)
            munmap(view, len);
    }
    return code == 226 && fstat(file_fd, &status) == 0 ? code : code == 226 ? 451 : code;
}

static int take_file(int data_fd, int file_fd, bool binary)
{
    char part[PART], text[PART + 1];
    bool cr = false;
    ssize_t n = -1;

    while (is_ready(data_fd, POLLIN, STANDSTILL)
           && (n = recv(data_fd, part, sizeof part, 0)) > 0) {
        size_t len = binary ? (size_t)n : from_wire(part, (size_t)n, text, &cr);
        if (!put(file_fd, binary ? part : text, len))
            return 452;
        n = -1;
    }
    if (n < 0)
        return 426;
    return (!cr || put(file_fd, "\r", 1)) && close(file_fd) == 0 ? 226 : 452;
}

static int send_list(int data_fd, int file_fd, const char *path, bool full)
{
    FILE *data = fdopen(data_fd, "w");
    struct stat status;

    if (data == NULL || fstat(file_fd, &status) < 0)
        return 451;
    if (S_ISDIR(status.st_mode))
        print_entries(data, file_fd, "", full, true);
    else
        print_entry(data, path, &status, full);
    return fclose(data) == EOF ? 426 : 226;
}

/* -- Transfers ------------------------------------------------------------------------------ */

static _Noreturn void transfer(struct session *s, char how, int file_fd, const char *path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    int data_fd = go(&s->way);
    if (data_fd < 0)
        _exit(425 - 200);
    int code = how == 'R' ? send_file(data_fd, file_fd, s->binary)
        : how == 'S' ? take_file(data_fd, file_fd, s->binary)
        : send_list(data_fd, file_fd, path, how == 'L');
    _exit(code - 200);
}

/* Returns the reply's code, 0 where it has been said. FILE_FD is closed. */
static int let_transfer(struct session *s, char how, int file_fd, const char *path)
{
    int status = 0;

    if (has_way(&s->way)) {
        say(s, "150-It is not far.\r\n150 It begins.");
        child = fork();
        if (child == 0)
            transfer(s, how, file_fd, path);
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        status = child < 0 || !WIFEXITED(status) ? 451 : 200 + WEXITSTATUS(status);
        child = -1;
        forget_way(&s->way);
    } else
        say(s, "425 Neither PASV nor PORT.");
    drop(file_fd);
    return status;
}

static void tell(struct session *s, int code)
{
    if (code == 226)
        say(s, "226-It went well.\r\n 250 is not what I say.\r\n226 It went well.");
    else if (code != 0)
        say(s, "%d It did not go well.", code);
}

static void forget_temporary(void)
{
    if (temporary_folder >= 0)
        unlinkat(temporary_folder, temporary, 0);
    drop(temporary_folder);
    temporary_folder = -1;
}

static void stor(struct session *s, const char *path)
{
    char plain[PATH_MAX];
    const char *name = "";
    int parent = account && make_plain(s->cwd, path, plain) ? open_parent(plain, &name) : -1, fd;

    if (parent < 0 || path[strlen(path) - 1] == '/' || !is_free(parent, name)) {
        say(s, "553 That cannot be.");
        drop(parent);
        return;
    }
    sprintf(temporary, ".part.%ld", (long)getpid());
    temporary_folder = parent;
    fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int code = fd < 0 ? 553 : let_transfer(s, 'S', fd, path);
    if (code == 226 && renameat(parent, temporary, parent, name) < 0)
        code = 553;
    forget_temporary();
    tell(s, code);
}

/* RETR, NLST, LIST. */
static void deliver(struct session *s, char how, char *path)
{
    struct stat status;

    while (how != 'R' && *path == '-')      /* what ls(1) would take for an option */
        path += strcspn(path, " ") + (path[strcspn(path, " ")] == ' ');
    int fd = open_path(s->cwd, path, how != 'R', &status);
    if (fd < 0)
        say(s, how == 'R' ? "450 No such file." : "450 Nothing to list.");
    else
        tell(s, let_transfer(s, how, fd, path));
}

/* -- Commands -------------------------------------------------------------------------------- */

static void change_folder(struct session *s, const char *path)
{
    struct stat status;
    char plain[PATH_MAX];
    int fd = open_path(s->cwd, path, true, &status);

    if (fd >= 0 && S_ISDIR(status.st_mode) && make_plain(s->cwd, path, plain)) {
        strcpy(s->cwd, plain);
        say(s, "250 Here you are.");
    } else
        say(s, "550 There is no such folder.");
    drop(fd);
}

/* False: that was one wrong password too many. */
static bool log_in(struct session *s, const char *argument)
{
    s->welcome = is_user(s->user) && is_password(argument);
    if (!s->welcome && ++s->wrong == TRIES) {
        say(s, "421 You do not know it.");
        return false;
    }
    say(s, s->welcome ? "230 Yes." : *s->user ? "530 No." : "503 USER first.");
    s->user[0] = '\0';
    return true;
}

static void tell_size(struct session *s, const char *path)
{
    struct stat status;
    int fd = open_path(s->cwd, path, false, &status);

    if (fd < 0 || !s->binary)
        say(s, "550 That is not known.");
    else
        say(s, "213 %lld", (long long)status.st_size);
    drop(fd);
}

static void obey_user(struct session *s, const char *verb, char *argument)
{
    char text[2 * PATH_MAX + 4], path[PATH_MAX + 1];
    int code;

    if (is(verb, "PASV", "EPSV")) {
        code = be_passive(&s->way, *verb == 'E', argument, text);
        say(s, "%d %s", code, text);
    } else if (is(verb, "PORT", "EPRT"))
        say(s, "%d Active (1,2).", be_active(&s->way, *verb == 'E', argument));
    else if (is(verb, "TYPE", "MODE") || is(verb, "STRU", "STRU"))
        say(s, "%d %s %s.", set_mode(verb, argument, &s->binary), verb, argument);
    else if (is(verb, "PWD", "PWD")) {
        snprintf(path, sizeof path, "/%s", s->cwd);
        say(s, "257 %s", quote(path, text));
    } else if (is(verb, "CDUP", "CDUP"))
        change_folder(s, "..");
    else if (is(verb, "NLST", "LIST"))
        deliver(s, *verb, argument);
    else if (!is(verb, "CWD", "SIZE") && !is(verb, "RETR", "STOR"))
        say(s, "500 %s", "What is that?");
    else if (*argument == '\0')
        say(s, "501 Something is missing.");
    else if (is(verb, "CWD", "CWD"))
        change_folder(s, argument);
    else if (is(verb, "SIZE", "SIZE"))
        tell_size(s, argument);
    else if (is(verb, "STOR", "STOR"))
        stor(s, argument);
    else
        deliver(s, *verb, argument);
}

/* False: that was the last line. */
static bool obey(struct session *s, char *line)
{
    char verb[5], *argument = split(line, verb);

    if (is(verb, "QUIT", "QUIT")) {
        say(s, "221 Bye.");
        return false;
    }
    if (is(verb, "PASS", "PASS"))
        return log_in(s, argument);
    if (is(verb, "USER", "USER")) {
        s->welcome = false;
        strcpy(s->user, is_user(argument) ? argument : "");
        say(s, *s->user ? "331-Good day.\r\n331 And PASS?" : "530 I know no such user.");
    } else if (is(verb, "NOOP", "SYST"))
        say(s, *verb == 'N' ? "200 NOOP." : "215 UNIX Type: L8 (a process each)");
    else if (!s->welcome)
        say(s, "530 Log in first.");
    else
        obey_user(s, verb, argument);
    return true;
}

/* The next byte, or -1. */
static int next_byte(struct session *s)
{
    if (s->begin == s->end) {
        if (!is_ready(s->fd, POLLIN, SILENCE)) {
            say(s, "421 I wait no longer.");
            return -1;
        }
        ssize_t n = recv(s->fd, s->in, sizeof s->in, 0);
        s->begin = 0;
        s->end = n > 0 ? (size_t)n : 0;
    }
    return s->begin < s->end ? (unsigned char)s->in[s->begin++] : -1;
}

/* A line; "" is one that is none. */
static bool read_line(struct session *s, char line[static LINE])
{
    size_t len = 0;
    int c;

    while ((c = next_byte(s)) >= 0 && c != '\n')
        if (len < LINE)
            line[len++] = (char)c;
    if (len > 0 && len < LINE && line[len - 1] == '\r')
        len--;
    if (len == LINE || memchr(line, '\0', len) != NULL)
        len = 0;
    line[len] = '\0';
    return c >= 0;
}

/* -- Processes ------------------------------------------------------------------------------ */

static void end_session(int number)
{
    (void)number;
    if (child > 0)
        kill(child, SIGKILL);
    if (temporary_folder >= 0)
        unlinkat(temporary_folder, temporary, 0);
    _exit(0);
}

static _Noreturn void serve(int fd)
{
    static struct session s;
    char line[LINE];

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != main_pid)
        _exit(0);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGTERM, end_session);
    signal(SIGINT, end_session);
    s.fd = fd;
    s.way = way_of(fd);
    set_up(fd);
    say(&s, "220 Served by process %ld.", (long)getpid());
    while (read_line(&s, line) && obey(&s, line))
        ;
    close_first(fd);
    _exit(0);
}

/* Only the main process has this handler: all others end with it (PR_SET_PDEATHSIG). */
static void end_all(int number)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    kill(0, number == SIGINT ? SIGTERM : number);
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

static volatile int count;

static void bury(int number)
{
    int why = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        count--;
    errno = why;
}

int main(int argc, char *argv[])
{
    sigset_t signals;

    setpgid(0, 0);
    main_pid = getpid();
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGTERM, end_all);
    signal(SIGINT, end_all);
    signal(SIGCHLD, bury);
    int listen_fd = open_server(argc, argv);
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        sigprocmask(SIG_BLOCK, &signals, NULL);
        pid_t pid = count < MOST ? fork() : -1;
        if (pid == 0) {
            close(listen_fd);
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            sigprocmask(SIG_UNBLOCK, &signals, NULL);
            serve(fd);
        }
        count += pid > 0;
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
        if (pid < 0)
            put(fd, "421 Too many are here.\r\n", 24);
        close(fd);
    }
}
