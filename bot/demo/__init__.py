"""The playground page: our real service on one side, stand-ins of every outside system on the other."""

from bot.demo.app import make_demo
from bot.demo.stand_ins import Controls, ServiceStatus, StandIns

__all__ = ["Controls", "ServiceStatus", "StandIns", "make_demo"]
