"""The words that the seed is made of. Nobody real: mail, telephone and postcodes are in reserved ranges."""

from __future__ import annotations

FIRST_NAMES = tuple(
    """
    Adaeze Agnes Alasdair Amara Anouk Ansel Bea Bram Callum Carys Chidi Corin Dalia Davit Delphine Eamon Edda
    Eirlys Emeka Esme Farida Felix Freya Gwen Hana Haruki Ines Ishaan Ivo Jamila Joss Kaito Katya Keir Laleh
    Leopold Linnea Lorcan Maeve Malik Marisol Mateo Mirela Nadia Nkechi Oisin Orla Otis Petra Priya Quentin
    Rafael Renata Rhys Rosalind Samir Saoirse Senan Sunniva Tadeo Talia Tomasz Uma Vera Wren Yara Yusuf Zofia
    """.split()
)

FAMILY_NAMES = tuple(
    """
    Abernathy Adeyemi Alvarado Ashdown Balogun Barrowclough Bellweather Bianchi Castellane Chaudhry Colquhoun
    Dalgaard Demirci Dunmore Eklund Esposito Fairbairn Fontaine Galbraith Gatwood Haddad Halloran Hawthorne
    Ibekwe Ito Jankowski Jessop Kapoor Karlsen Kowalczyk Lachance Lindqvist Lockhart Marchetti Mbeki-Shaw
    Mistry Montague Nakata Nwosu Okonjo Ortega Osgood Pellegrin Petrov Quayle Rahimi Ravenscroft Rosen Saleh
    Sandoval Sato Siddall Szabo Tanaka Thackeray Tremblay Ueda Valcourt Vasquez Wetherby Winslow Yilmaz Zeller
    """.split()
)

HOUSE_WORDS = tuple(
    """
    Alder Amber Ashgrove Beacon Bluebell Bracken Canal Cedar Chapel Clocktower Copper Elmfield Fairview Fern
    Foundry Granary Harbour Hawthorn Heron Juniper Kingfisher Lantern Larch Linden Maltings Meadow Mill
    Northgate Orchard Pavilion Quarry Riverside Rowan Saddler Sycamore Tannery Viaduct Weaver Willow Wharf
    """.split()
)

HOUSE_KINDS = ("Court", "Gardens", "House", "Lofts", "Mews", "Place", "Quarters", "Row", "Terrace", "Yard")

STREETS = tuple(
    street.strip()
    for street in """
    Abbey Road, Acre Lane, Baker's Hill, Birchwood Avenue, Bridge Street, Brook Lane, Canal Walk,
    Castle Street, Chandler's Row, Chestnut Grove, Church Lane, Cooper Street, Dock Street, Dovecote Lane,
    East Parade, Ferry Road, Fountain Street, Foxglove Way, Garden Street, Glebe Road, Hazel Drive,
    High Street, Hill Rise, Ironmonger Street, Kiln Lane, Lark Street, Laurel Avenue, Lime Walk, Long Acre,
    Magnolia Road, Market Place, Moor Lane, Nelson Street, North Quay, Old Post Road, Orchard Street,
    Park Crescent, Pottery Lane, Priory Road, Quayside, Railway Terrace, Ropewalk, Rose Hill, School Lane,
    Shore Road, Silver Street, South Parade, Spring Gardens, Station Road, Tanner Street, Union Street,
    Vicarage Road, Windmill Lane
    """.split(",")
)

CITIES = (
    ("Alderbrook", "QA"),
    ("Brackenford", "QB"),
    ("Carrowmouth", "QC"),
    ("Dunhaven", "QD"),
    ("Eastmarsh", "QE"),
    ("Fallowdale", "QF"),
    ("Greywater", "QG"),
    ("Hollinport", "QH"),
)
"""City and the letters that its postcodes begin with; no British postcode begins with Q."""

STAFF = (
    ("Ottoline Brandt", "property_manager"),
    ("Cassius Oyelaran", "property_manager"),
    ("Imogen Vasquez-Lund", "property_manager"),
    ("Teodor Marsh", "property_manager"),
    ("Philippa Nakagawa", "property_manager"),
    ("Bartholomew Keane", "property_manager"),
    ("Sabine Achterberg", "leasing_agent"),
    ("Dermot Okafor", "leasing_agent"),
    ("Lucinda Pereira", "accountant"),
    ("Anselm Whitlock", "accountant"),
    ("Marguerite Sole", "regional_director"),
    ("Jovan Petherick", "front_desk"),
)

VENDORS = (
    ("Brightwater Plumbing", "plumber"),
    ("Copperline Heating", "heating_engineer"),
    ("Sparrow Electrical", "electrician"),
    ("Keystone Locksmiths", "locksmith"),
    ("Greenleaf Grounds", "gardener"),
    ("Slate & Sons Roofing", "roofer"),
    ("Tidy Hands Cleaning", "cleaner"),
    ("Northlight Surveyors", "surveyor"),
)

ROOMS = ("bathroom", "kitchen", "hallway", "living room", "main bedroom", "second bedroom", "utility room")

COMPLAINTS = {
    "plumbing": (
        "Tap in the {room} drips all night; the washer was changed in spring and it has come back.",
        "Water stands in the {room} drain and takes an hour to go down.",
        "Brown water from the {room} tap for the first minute every morning.",
        "Damp patch spreading on the {room} ceiling, about the size of a plate.",
    ),
    "heating": (
        "Radiator in the {room} stays cold while the others are hot.",
        "Boiler shows a fault code and locks out; no hot water since yesterday evening.",
        "Thermostat in the {room} reads four degrees too high.",
    ),
    "electrical": (
        "Socket in the {room} is loose and sparks when the kettle is plugged in.",
        "Lights in the {room} flicker when the washing machine runs.",
        "The breaker for the {room} trips twice a day.",
    ),
    "appliance": (
        "Fridge hums loudly and the freezer door no longer seals.",
        "Dishwasher stops half way and leaves water in the bottom.",
        "Extractor fan in the {room} runs but draws no air.",
    ),
    "locks_and_doors": (
        "Key turns twice before the front door unlocks; it jammed on Sunday.",
        "Door to the {room} does not close since the frame swelled.",
        "Entry phone rings but cannot open the street door.",
    ),
    "windows": (
        "Window in the {room} will not close fully and lets the rain in.",
        "Condensation between the panes of the {room} window.",
    ),
    "pests": (
        "Mice heard behind the skirting in the {room}, droppings by the pipes.",
        "Ants come in under the {room} window every warm afternoon.",
    ),
    "common_areas": (
        "Light on the second-floor landing is out, the stairs are dark.",
        "Bins have not been collected for two weeks and block the side gate.",
        "Lift stops a hand's breadth above the ground floor.",
    ),
}
"""Maintenance category to what tenants write about it."""
