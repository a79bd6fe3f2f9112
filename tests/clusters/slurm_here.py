"""A real SLURM on this machine for tests: two nodes, two pretend GPUs, memory enforced.

No systemd and no cgroups are needed, but root and Debian's slurmctld, slurmd, slurm-client and
munge. Each node is a slurmd of its own. ``python tests/clusters/slurm_here.py FOLDER`` keeps one
running until Ctrl-C.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

TOOLS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = ("n1", "n2")
CPUS, MEGABYTES, GPUS = 4, 8000, 2
NVIDIA = 195  # the major number of NVIDIA's device files

CONF = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=10
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MinJobAge=120
KillWait=3
SlurmdTimeout=20
GresTypes=gpu
DefMemPerCPU=600
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {size}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {size} {gpus}
PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=n2 MaxTime=INFINITE State=UP
PartitionName=short Nodes=n1,n2 MaxTime=2 State=UP
"""


class Slurm:
    """Daemons in a folder of their own.

    Parameters
    ----------
    folder
        Where their state and logs are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.conf = folder, folder / "slurm.conf"

    def start(self) -> None:
        """Start munge, if nobody has, the controller and the nodes; wait until all are idle."""
        for name in ("state", "spool", "log", "dev"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        _munge()
        gpus = [self.folder / "dev" / f"nvidia{i}" for i in range(GPUS)]
        for i, device in enumerate(gpus):
            if not device.exists():
                os.mknod(device, 0o20666, os.makedev(NVIDIA, i))
        lines = (f"NodeName=n2 Name=gpu Type=fake File={device}\n" for device in gpus)
        (self.folder / "gres.conf").write_text("".join(lines))
        self.conf.write_text(
            CONF.format(
                host=socket.gethostname().split(".")[0],
                folder=self.folder,
                ports=_free_ports(3),
                size=f"CPUs={CPUS} RealMemory={MEGABYTES} State=UNKNOWN",
                gpus=f"Gres=gpu:fake:{GPUS} Features=gpu",
            )
        )
        self._daemon("slurmctld")
        for node in NODES:
            self.boot(node)
        self.wait(lambda: set(self.states().values()) == {"idle"}, "idle nodes", 60)

    def boot(self, node: str) -> None:
        """Start a node."""
        self._daemon("slurmd", "-N", node)

    def power_off(self, node: str) -> None:
        """End a node as a power failure would: its jobs, and what would report their end."""
        pid = int((self.folder / f"slurmd-{node}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if f"SLURMD_NODENAME={node}\0".encode() in environ.read_bytes():
                    os.kill(int(environ.parent.name), signal.SIGKILL)
        for stepd in self.stepds(node):
            with suppress(OSError):
                os.kill(stepd, signal.SIGKILL)
        self("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")

    def stepds(self, node: str) -> list[int]:
        """Return the processes that watch the jobs of a node."""
        found = []
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                text = command.read_bytes()
                if text.startswith(b"slurmstepd") and self._spool(node) in _maps(command.parent):
                    found.append(int(command.parent.name))
        return found

    def _spool(self, node: str) -> str:
        return str(self.folder / "spool" / node)

    def _daemon(self, program: str, *options: str) -> None:
        command = [shutil.which(program) or f"/usr/sbin/{program}", "-f", str(self.conf), *options]
        subprocess.run(command, check=True, env=self.environment, timeout=30)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which SLURM's commands find this one."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    def __call__(self, *command: str) -> str:
        """Run one of SLURM's commands; return what it prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        rows = self("sinfo", "-h", "-N", "-o", "%N %t").splitlines()
        return dict(row.split() for row in rows)

    def jobs(self, states: str = "PENDING,RUNNING") -> dict[str, str]:
        """Return the number of each job in one of some states, with the node that it is on."""
        rows = self("squeue", "-h", "-t", states, "-o", "%i|%N").splitlines()
        return dict(row.split("|") for row in rows)

    def wait(self, condition, what: str, seconds: float = 120) -> None:
        """Wait for a condition; fail with the controller's log if it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                log = (self.folder / "log" / "slurmctld.log").read_text()[-2000:]
                raise AssertionError(f"no {what} within {seconds:.0f} s\n{log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End all jobs and daemons."""
        with suppress(AssertionError, subprocess.SubprocessError):
            self("scancel", "--user", "root")
            self.wait(lambda: not self("squeue", "-h"), "end of all jobs", 15)
        for file in self.folder.glob("*.pid"):
            with suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGTERM)
        deadline = time.monotonic() + 15
        while list(self.folder.glob("*.pid")) and time.monotonic() < deadline:
            time.sleep(0.1)


def _maps(process: Path) -> str:
    """What tells a process's node: its open log and spool files."""
    links = []
    for link in (process / "fd").iterdir():
        with suppress(OSError):
            links.append(str(link.readlink()))
    return " ".join(links)


def _munge() -> None:
    """Start munge, which signs what SLURM's programs say to each other."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    for folder in (Path("/run/munge"), Path("/var/log/munge"), key.parent):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "munge", "munge")
    if not key.exists() or not key.stat().st_size:
        key.write_bytes(secrets.token_bytes(1024))
    shutil.chown(key, "munge", "munge")
    key.chmod(0o400)
    subprocess.run(
        ["runuser", "-u", "munge", "--", "/usr/sbin/munged", "--force"], check=True, timeout=30
    )


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    here = Slurm(Path(sys.argv[1]).absolute())
    here.start()
    print(f"export SLURM_CONF={here.conf}", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        here.stop()
