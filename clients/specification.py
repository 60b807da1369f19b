"""Does an answer fit what its API's owner publishes? Both descriptions stand in `spec/`.

OUTSCALE API: an answer fits the component schema of its action, which allows no further property; a refusal's code
and type are a pair that exists, its HTTP status belongs to the code, and its `Details` say something.
AWS Direct Connect: an answer fits the output shape of its operation, without an unknown member; a refusal's type is
one that the operation may answer, and it has a message.
"""

import json
import re
from datetime import datetime
from functools import cached_property

import yaml
from botocore.model import ServiceModel, Shape
from botocore.parsers import ResponseParserError, RpcV2CBORParser
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from recorder import Exchange
from region import TOP

SPEC = TOP / "spec"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Both forms that the OUTSCALE API's own examples have; the second is no RFC 3339.
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+0000)")

FORMATS = FormatChecker(formats=[])


@FORMATS.checks("date-time")
def is_date_time(value) -> bool:
    return not isinstance(value, str) or DATE_TIME.fullmatch(value) is not None


def violations(exchange: Exchange) -> list[str]:
    """What is wrong with an answer, in words; empty where all is well."""
    target = exchange.request_headers.get("X-Amz-Target", "")
    in_path = re.fullmatch(r"/service/OvertureService/operation/(\w+)", exchange.path)
    if target.startswith("OvertureService."):
        where, found = target, AWS.check(target.removeprefix("OvertureService."), exchange)
    elif in_path:
        where, found = exchange.path, AWS_IN_CBOR.check(in_path[1], exchange)
    elif re.fullmatch(r"/*api/(v[\d.]+|latest)", exchange.path, re.IGNORECASE):
        return []  # the version and its calls, which the description does not describe
    elif re.fullmatch(r"/*api(/[^/]+)?/[^/]+", exchange.path, re.IGNORECASE):
        where, found = exchange.path, OUTSCALE.check(exchange.path.rsplit("/", 1)[1], exchange)
    else:
        return []
    shown = exchange.body.decode(errors="replace")
    return [f"{where}: {exchange.status}: {what}\n    in {shown}" for what in found]


class Outscale:
    # The HTTP status of each class of codes, and the `Type` of those that the table does not list.
    CLASSES = (
        (range(1, 100), {401}, {"AccessDenied"}),
        (range(3000, 4000), {400}, {"InvalidParameter"}),
        (range(4000, 5000), {400}, {"InvalidParameterValue"}),
        (range(5000, 6000), {400}, {"InvalidResource"}),
        (range(6000, 7000), {409}, {"InvalidState"}),
        (range(7000, 8000), {400}, {"MissingParameter"}),
        (range(9000, 10000), {409}, {"ResourceConflict"}),
        (range(10000, 11000), {400, 409}, {"TooManyResources (QuotaExceded)", "InsufficientCapacity"}),
        (range(12000, 12001), {404}, {"InvalidAction"}),
    )

    @cached_property
    def document(self) -> dict:
        return yaml.load((SPEC / "outscale-oapi.yaml").read_text(), Loader=yaml.CSafeLoader)

    @cached_property
    def _types(self) -> dict[int, str]:
        table = yaml.load((SPEC / "outscale-gateway-errors.yaml").read_text(), Loader=yaml.CSafeLoader)
        return {code: row["Type"] for code, row in table.items()}

    @cached_property
    def _registry(self) -> Registry:
        return Registry().with_resource("oapi", Resource.from_contents(self.document, DRAFT202012))

    def check(self, action: str, exchange: Exchange) -> list[str]:
        found = []
        if not exchange.headers.get("Content-Type", "").startswith("application/json"):
            found.append(f"Content-Type is {exchange.headers.get('Content-Type')!r}")
        try:
            answer = json.loads(exchange.body)
        except ValueError:
            return [*found, "the body is no JSON"]
        if exchange.status != 200:
            return found + self._misfits("ErrorResponse", answer) + self._check_refusal(exchange.status, answer)
        if f"{action}Response" not in self.document["components"]["schemas"]:
            return [*found, "200 for an action that does not exist"]
        return found + self._misfits(f"{action}Response", answer) + self._check_context(answer)

    def _misfits(self, schema: str, answer) -> list[str]:
        validator = Draft202012Validator(
            {"$ref": f"oapi#/components/schemas/{schema}"}, registry=self._registry, format_checker=FORMATS
        )
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]

    def _check_context(self, answer) -> list[str]:
        request = (answer.get("ResponseContext") or {}).get("RequestId") or ""
        return [] if UUID.fullmatch(request) else [f"RequestId is {request!r}, not a UUID"]

    def _check_refusal(self, status: int, answer) -> list[str]:
        found = self._check_context(answer)
        if not answer.get("Errors"):
            return [*found, "a refusal without Errors"]
        for error in answer["Errors"]:
            code = int(error["Code"])
            statuses, types = next(((s, t) for codes, s, t in self.CLASSES if code in codes), (set(), set()))
            types = {self._types[code]} if code in self._types else types
            if status not in statuses:
                found.append(f"code {code} goes with HTTP {sorted(statuses)}")
            if error["Type"] not in types:
                found.append(f"code {code} is of the type {sorted(types)}, not {error['Type']!r}")
            if len(error.get("Details", "")) < 15:
                found.append(f"code {code} does not say what to do: {error.get('Details')!r}")
        return found


class Aws:
    # What any operation of an AWS JSON service may answer, and OUTSCALE's words for its own gate.
    COMMON_ERRORS = {
        "AuthFailure",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SerializationException",
        "SignatureDoesNotMatch",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
    # The guide's states that AWS does not have.
    FURTHER_VALUES = {"VirtualInterfaceState": {"expired"}}
    SCALARS = {"string": str, "boolean": bool, "integer": int, "long": int, "timestamp": (int, float), "blob": str}
    CONTENT_TYPE = "application/x-amz-json-1.1"

    @cached_property
    def _model(self) -> ServiceModel:
        return ServiceModel(json.loads((SPEC / "aws-directconnect-service-2.json").read_text()), "directconnect")

    def check(self, operation: str, exchange: Exchange) -> list[str]:
        headers = exchange.headers
        found = [f"no header {name}" for name in ("x-amzn-RequestId", "x-amz-requestid") if not headers.get(name)]
        if headers.get("Content-Type") != self.CONTENT_TYPE:
            found.append(f"Content-Type is {headers.get('Content-Type')!r}")
        try:
            answer = self._read(exchange.body)
        except ValueError as error:
            return [*found, f"the body cannot be read: {error}"]
        if exchange.status != 200:
            return found + self._check_refusal(operation, exchange, answer)
        if operation not in self._model.operation_names:
            return [*found, "200 for an operation that does not exist"]
        return found + self._misfits(self._model.operation_model(operation).output_shape, answer, "$")

    def _read(self, body: bytes):
        return json.loads(body)

    def _check_refusal(self, operation: str, exchange: Exchange, answer) -> list[str]:
        known = set(self.COMMON_ERRORS)
        if operation in self._model.operation_names:
            known |= {shape.name for shape in self._model.operation_model(operation).error_shapes}
        kind, found = answer.get("__type", ""), []
        if kind not in known:
            found.append(f"__type is {kind!r}, which the operation cannot answer")
        if exchange.headers.get("x-amzn-ErrorType") != kind:
            found.append(f"x-amzn-ErrorType is {exchange.headers.get('x-amzn-ErrorType')!r}, __type is {kind!r}")
        if len(answer.get("message", "")) < 15:
            found.append(f"the refusal does not say what to do: {answer.get('message')!r}")
        return found + [f"{member!r} in a refusal" for member in answer.keys() - {"__type", "message"}]

    def _misfits(self, shape: Shape, value, path: str) -> list[str]:
        if shape.type_name == "structure":
            if not isinstance(value, dict):
                return [f"{path}: {value!r} is no structure"]
            unknown = [f"{path}: {shape.name} has no member {name!r}" for name in value.keys() - shape.members.keys()]
            known = value.keys() & shape.members.keys()
            return unknown + [m for n in sorted(known) for m in self._misfits(shape.members[n], value[n], f"{path}.{n}")]
        if shape.type_name == "list":
            if not isinstance(value, list):
                return [f"{path}: {value!r} is no list"]
            return [m for i, item in enumerate(value) for m in self._misfits(shape.member, item, f"{path}[{i}]")]
        wanted = self.SCALARS[shape.type_name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and shape.type_name != "boolean"):
            return [f"{path}: {value!r} is no {shape.type_name}"]
        if getattr(shape, "enum", None) and value not in {*shape.enum, *self.FURTHER_VALUES.get(shape.name, ())}:
            return [f"{path}: {value!r} is none of {shape.enum}"]
        return []


class AwsInCbor(Aws):
    """Smithy's RPC v2: moments and bytes have types of their own, and a refusal's type is written in full."""

    SCALARS = {**Aws.SCALARS, "timestamp": datetime, "blob": bytes}
    CONTENT_TYPE = "application/cbor"

    def check(self, operation: str, exchange: Exchange) -> list[str]:
        protocol = exchange.headers.get("smithy-protocol")
        found = [] if protocol == "rpc-v2-cbor" else [f"smithy-protocol is {protocol!r}"]
        return found + super().check(operation, exchange)

    def _read(self, body: bytes):
        parser = RpcV2CBORParser()
        stream = parser.get_peekable_stream_from_bytes(body)
        try:
            value = parser.parse_data_item(stream)
        except ResponseParserError as error:
            raise ValueError(error) from None
        if stream.read():
            raise ValueError("something follows it")
        return value

    def _check_refusal(self, operation: str, exchange: Exchange, answer) -> list[str]:
        namespace, _, kind = answer.get("__type", "").rpartition("#")
        found = [] if namespace == "com.amazonaws.directconnect" else [f"__type is in {namespace!r}"]
        return found + super()._check_refusal(operation, exchange, {**answer, "__type": kind})


OUTSCALE = Outscale()
AWS = Aws()
AWS_IN_CBOR = AwsInCbor()
