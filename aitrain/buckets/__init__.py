"""The containers of data stores and their objects: a part of the client. It alone in this package uses boto3, and loads
it when it is first needed (`pip install 'aitrain[cli]'` brings it).
"""

from aitrain.buckets.buckets import Buckets, StoredObject
from aitrain.buckets.places import FORM, Place
from aitrain.buckets.transfers import ObjectDone, TransferWatch

__all__ = ["FORM", "Buckets", "ObjectDone", "Place", "StoredObject", "TransferWatch"]
