/* A library for LD_PRELOAD that lets system calls fail, be short or be interrupted: those of the program and of every library in it,
 * since the kernel hands them to a handler here (seccomp, SIGSYS) before it does them. Built and told what to do by faults.py.
 *   FAULT=count         does nothing but count
 *   FAULT=short         every read and write does half of what was asked
 *   FAULT=interrupted   every read and write fails with EINTR, and works when it is tried again
 *   FAULT=KIND:N:ERRNO  the Nth call (from 0) of KIND fails: r(ead), w(rite), c(ompletion: sync, truncate, rename)
 *   FAULT_COUNT=FILE    becomes four uint64: calls of the three kinds, and how many were tampered with
 * What goes to standard error is left alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { ARCH = (int)AUDIT_ARCH_X86_64 };
#define REGISTERS(u) {REG(u, RDI), REG(u, RSI), REG(u, RDX), REG(u, R10), REG(u, R8)}
#define REG(u, name) (u)->uc_mcontext.gregs[REG_##name]
#define RESULT(u) (u)->uc_mcontext.gregs[REG_RAX]
#elif defined(__aarch64__)
enum { ARCH = (int)AUDIT_ARCH_AARCH64 };
#define REGISTERS(u) {REG(u, 0), REG(u, 1), REG(u, 2), REG(u, 3), REG(u, 4)}
#define REG(u, n) (long)(u)->uc_mcontext.regs[n]
#define RESULT(u) (u)->uc_mcontext.regs[0]
#endif

enum kind { READ, WRITE, COMPLETION };
static const uint64_t OURS = 0x5d1f0e2ba96c4783; /* the sixth argument of calls that the handler makes */

static const struct {
    int number;
    enum kind kind;
} CALLS[] = {
    {SYS_read, READ}, {SYS_pread64, READ}, {SYS_readv, READ}, {SYS_write, WRITE}, {SYS_pwrite64, WRITE}, {SYS_writev, WRITE},
    {SYS_fsync, COMPLETION}, {SYS_fdatasync, COMPLETION}, {SYS_ftruncate, COMPLETION}, {SYS_renameat, COMPLETION},
    {SYS_renameat2, COMPLETION},
#ifdef SYS_rename
    {SYS_rename, COMPLETION},
#endif
};
enum { N_CALLS = sizeof CALLS / sizeof *CALLS };

static struct {
    enum { COUNT, SHORT, INTERRUPTED, FAIL } what;
    enum kind kind;
    uint64_t n;
    int error;
    _Atomic uint64_t *counts; /* of the kinds; tampered */
} plan;
static _Thread_local int interrupted;

static void halve(long number, long arguments[5]) {
    if (number == SYS_readv || number == SYS_writev)
        arguments[2] = arguments[2] > 1 ? 1 : arguments[2]; /* pieces */
    else
        arguments[2] = (long)((unsigned long)arguments[2] / 2 + (unsigned long)arguments[2] % 2);
}

/* 0, or the error with which the call fails instead of being made. */
static int tamper(long number, enum kind kind, long arguments[5]) {
    uint64_t n = atomic_fetch_add(&plan.counts[kind], 1);
    int error = 0;
    if (plan.what == SHORT && kind != COMPLETION && arguments[2] > 1)
        halve(number, arguments);
    else if (plan.what == INTERRUPTED && kind != COMPLETION && (interrupted = !interrupted))
        error = EINTR;
    else if (plan.what == FAIL && kind == plan.kind && n == plan.n)
        error = plan.error;
    else
        return 0;
    atomic_fetch_add(&plan.counts[3], 1);
    return error;
}

static void on_call(int signal, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    long arguments[5] = REGISTERS(u), number = info->si_syscall;
    int saved = errno, error = 0;
    (void)signal;
    for (int i = 0; i < N_CALLS; i++)
        if (CALLS[i].number == number && !(CALLS[i].kind == WRITE && arguments[0] == STDERR_FILENO))
            error = tamper(number, CALLS[i].kind, arguments);
    long result = error ? -error
                        : syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], OURS);
    RESULT(u) = !error && result < 0 ? -errno : result;
    errno = saved;
}

static void give_up(const char *doing) {
    dprintf(STDERR_FILENO, "faults: cannot %s: %s\n", doing, strerror(errno));
    _exit(99);
}

static void make_plan(void) {
    static const char kinds[] = "rwc";
    const char *fault = getenv("FAULT"), *path = getenv("FAULT_COUNT");
    char kind;
    unsigned long long n;
    if (!fault || !path)
        give_up("find FAULT and FAULT_COUNT");
    if (strcmp(fault, "short") == 0) {
        plan.what = SHORT;
    } else if (strcmp(fault, "interrupted") == 0) {
        plan.what = INTERRUPTED;
    } else if (sscanf(fault, "%c:%llu:%d", &kind, &n, &plan.error) == 3 && strchr(kinds, kind)) {
        plan.what = FAIL;
        plan.kind = (enum kind)(strchr(kinds, kind) - kinds);
        plan.n = n;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, 4 * sizeof *plan.counts) != 0)
        give_up("make FAULT_COUNT");
    plan.counts = mmap(NULL, 4 * sizeof *plan.counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (plan.counts == MAP_FAILED)
        give_up("map FAULT_COUNT");
    close(fd);
}

__attribute__((constructor)) static void start(void) {
    struct sock_filter filter[2 * N_CALLS + 16];
    unsigned short n = 0;
    const uint32_t sixth = offsetof(struct seccomp_data, args[5]); /* little-endian: the low half stands first */
    make_plan();
#define PUT(...) filter[n++] = (struct sock_filter)__VA_ARGS__
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCH, 1, 0));
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sixth));
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)OURS, 0, 3));
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sixth + 4));
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(OURS >> 32), 0, 1));
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    for (int i = 0; i < N_CALLS; i++) {
        PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)CALLS[i].number, 0, 1));
        PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
    }
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    struct sock_fprog program = {n, filter};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        give_up("catch system calls");
}
