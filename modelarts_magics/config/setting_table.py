"""The table of the connection settings: one entry per setting.

The traits of ``%config ModelArts`` and ``c.ModelArtsServer``, the environment variables, the file that
``configure`` writes and the table in the README all follow from `SETTINGS`. To add a setting, add an
entry with its two help texts.

``%load_ext`` loads this module, so it imports nothing, and its class is a plain one: `NamedTuple` and `dataclass`
generate code, which takes half a millisecond.
"""

from __future__ import annotations


class SettingDefinition:
    """A setting of the connection.

    Args:
        variables, text, text_zh, default, is_seconds, storable: See the attributes.

    Attributes:
        variables: The environment variables; the first one that is set counts.
        help: The meaning in English: the help of the traits and a row of README.md.
        help_zh: The same in Chinese, for README.zh-CN.md.
        default: The default as text; "" if there is none.
        is_seconds: Whether the value is a number of seconds.
        storable: Whether ``configure`` may write it to the settings file.
    """

    def __init__(  # noqa: PLR0913 - a row of the table
        self,
        variables: tuple[str, ...],
        text: str,
        text_zh: str,
        *,
        default: str = "",
        is_seconds: bool = False,
        storable: bool = False,
    ) -> None:
        self.variables, self.help, self.help_zh = variables, text, text_zh
        self.default, self.is_seconds, self.storable = default, is_seconds, storable

    @property
    def variable(self) -> str:
        """The environment variable to name in messages."""
        return self.variables[0]


SETTINGS = {
    "region": SettingDefinition(
        ("MODELARTS_REGION",),
        "Region of the instance, such as cn-north-4. It determines the endpoint.",
        "实例所在的区域，例如 cn-north-4；由它得出终端节点。",  # noqa: RUF001 - Chinese punctuation
        storable=True,
    ),
    "endpoint": SettingDefinition(
        ("MODELARTS_ENDPOINT",),
        "Scheme and host of the API. Default: the endpoint of the region. Plain http is accepted "
        "for this machine only.",
        "API 的协议和主机名，默认为该区域的终端节点；仅本机可使用 http。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "project_id": SettingDefinition(
        ("MODELARTS_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
        "Project ID. Default: the project stored with the access key, else the IAM project of the "
        "region.",
        "项目 ID，默认取访问密钥所在位置的项目，否则向 IAM 查询该区域的项目。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "instance_id": SettingDefinition(
        ("MODELARTS_INSTANCE_ID",),
        "Instance ID. Default: detected on the instance and confirmed by the API.",
        "实例 ID，默认在实例上自动检测，并由 API 确认。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "iam_endpoint": SettingDefinition(
        ("MODELARTS_IAM_ENDPOINT",),
        "Scheme and host of IAM. Default: the IAM endpoint of the region.",
        "IAM 的协议和主机名，默认为该区域的 IAM 终端节点。",  # noqa: RUF001 - as above
    ),
    "verify_tls": SettingDefinition(
        ("MODELARTS_VERIFY_TLS",),
        "Whether to verify the certificate of the API: on or off. Off is accepted for this machine only.",
        "是否校验 API 的证书：on 或 off；仅本机可使用 off。",  # noqa: RUF001 - as above
        default="on",
    ),
    "api": SettingDefinition(
        ("MODELARTS_API",),
        "API of the instance: auto, demanager (historical) or notebooks (current).",
        "实例使用的 API：auto、demanager（历史）或 notebooks（当前）。",  # noqa: RUF001 - as above
        default="auto",
        storable=True,
    ),
    "timezone": SettingDefinition(
        ("MODELARTS_TIMEZONE",),
        "Time zone of clock times, such as Asia/Shanghai or +08:00. Default: the time zone of the "
        "system, which is often UTC in containers.",
        "时刻所用的时区，例如 Asia/Shanghai 或 +08:00，默认为系统时区（容器中通常是 UTC）。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "language": SettingDefinition(
        ("MODELARTS_LANGUAGE",),
        "Language of messages: en or zh_CN. Default: that of the page that was last open, else of the locale.",
        "提示信息的语言：en 或 zh_CN，默认为最近打开的页面的语言，否则为系统语言环境的语言。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "connect_timeout": SettingDefinition(
        ("MODELARTS_CONNECT_TIMEOUT",),
        "Seconds to wait for a connection.",
        "建立连接的超时时间，单位为秒。",  # noqa: RUF001 - as above
        default="5",
        is_seconds=True,
    ),
    "read_timeout": SettingDefinition(
        ("MODELARTS_READ_TIMEOUT",),
        "Seconds to wait for each part of a response.",
        "等待响应每一部分的超时时间，单位为秒。",  # noqa: RUF001 - as above
        default="15",
        is_seconds=True,
    ),
    "total_timeout": SettingDefinition(
        ("MODELARTS_TOTAL_TIMEOUT",),
        "Seconds that one command or one request of a page may take in total.",
        "一条命令或页面的一次请求的总超时时间，单位为秒。",  # noqa: RUF001 - as above
        default="30",
        is_seconds=True,
    ),
    "keep_up_to": SettingDefinition(
        ("MODELARTS_KEEP_UP_TO",),
        "How long work keeps the instance running at most, if nothing else is said, such as 8h.",
        "未另行指定时，任务最多让实例保持运行多久，例如 8h。",  # noqa: RUF001 - as above
        default="8h",
        storable=True,
    ),
    "keep_idle_time": SettingDefinition(
        ("MODELARTS_KEEP_IDLE_TIME",),
        "How long nothing has worked when keep --while-busy ends, such as 10m.",
        "keep --while-busy 在没有任何工作多久之后结束，例如 10m。",  # noqa: RUF001 - as above
        default="10m",
        storable=True,
    ),
    "before_stop": SettingDefinition(
        ("MODELARTS_BEFORE_STOP",),
        "Command that is run before each stop, after the time left at which it begins, such as "
        "10m: python checkpoint.py. It has to end a minute before the stop.",
        "每次停止前运行的命令，前面写开始时的剩余时间，例如 10m: python checkpoint.py；须在停止前一分钟结束。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "idle_programs": SettingDefinition(
        ("MODELARTS_IDLE_PROGRAMS",),
        "Programs in terminals that do not count as work, besides editors, pagers and monitors: "
        "names or patterns, separated by commas, such as tail,ranger.",
        "除编辑器、分页器和监控工具外，终端中不计为工作的程序：名称或通配符，以逗号分隔，例如 tail,ranger。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "work_programs": SettingDefinition(
        ("MODELARTS_WORK_PROGRAMS",),
        "Programs that count as work as long as they run: names or patterns of command lines, "
        "separated by commas, such as *train.py*.",
        "只要在运行就计为工作的程序：名称或命令行的通配符，以逗号分隔，例如 *train.py*。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "notify_quiet_hours": SettingDefinition(
        ("MODELARTS_NOTIFY_QUIET_HOURS",),
        "Hours in which no notification is sent, such as 22:00-07:30. A message that is still of use then is "
        "sent afterwards.",
        "不发送通知的时段，例如 22:00-07:30；届时仍有意义的通知在该时段之后发送。",  # noqa: RUF001 - as above
        storable=True,
    ),
    "notify_limit": SettingDefinition(
        ("MODELARTS_NOTIFY_LIMIT",),
        "How many notifications are sent within an hour at most.",
        "每小时最多发送多少条通知。",
        default="20",
        storable=True,
    ),
    "state_dir": SettingDefinition(
        ("MODELARTS_STATE_DIR",),
        "Folder of the state files, which hold the last known state of each instance.",
        "状态文件所在的文件夹，保存每个实例最近一次已知的状态。",  # noqa: RUF001 - as above
        default="~/.modelarts-magics",
    ),
}
"""The settings by name. The name is also that of the trait and of the argument of `connect`."""
